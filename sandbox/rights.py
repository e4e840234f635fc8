"""The rights that the manifests give the bot, for a bot that runs outside of any cluster."""

from typing import Any

import yaml

from sandbox.folders import CHECKOUT
from sandbox.kube import Kube

RIGHTS = CHECKOUT / "manifests/kustomize/rights/rbac.yaml"


def give_rights(kube: Kube, namespace: str) -> dict[str, Any]:
    """Give the bot's ServiceAccount in a namespace what the manifests give it, and return the Role."""
    documents = list(yaml.safe_load_all(RIGHTS.read_text()))
    for document in documents:
        document["metadata"]["namespace"] = namespace
        for subject in document.get("subjects", []):
            subject["namespace"] = "rolloutbot"
        kube.create(document)
    role: dict[str, Any] = documents[0]
    return role
