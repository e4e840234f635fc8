"""The rights of a bot that runs outside the cluster: those of the manifests, or others."""

from collections.abc import Sequence
from typing import Final

import yaml

from sandbox.apiserver import USERS
from sandbox.folders import CHECKOUT
from sandbox.kube import Kube, Object
from sandbox.process import wait_until

RIGHTS: Final = CHECKOUT / "manifests/kustomize/rights/rbac.yaml"
TRY: Final = CHECKOUT / "manifests/kustomize/try/rbac.yaml"
CLEAN: Final = CHECKOUT / "manifests/kustomize/clean/rbac.yaml"
DEPLOY: Final = CHECKOUT / "manifests/kustomize/deploy/rbac.yaml"
GATEWAYS: Final = CHECKOUT / "manifests/kustomize/gateways/rbac.yaml"


def give_rights(kube: Kube, namespace: str) -> Object:
    """Give the bot's ServiceAccount the rights of the manifests in a namespace, and return the Role."""
    for document in yaml.safe_load_all(GATEWAYS.read_text()):
        kube.apply(_of_bot(document))
    return grant(kube, namespace, list(yaml.safe_load_all(RIGHTS.read_text())))


def give_try_rights(kube: Kube, namespace: str) -> Object:
    """Let the bot make and remove HTTPRoutes for trials in a namespace, and return the Role."""
    return grant(kube, namespace, list(yaml.safe_load_all(TRY.read_text())))


def give_clean_rights(kube: Kube, namespace: str) -> Object:
    """Let the bot uninstall releases of pools in a namespace, and return the Role."""
    return grant(kube, namespace, list(yaml.safe_load_all(CLEAN.read_text())))


def give_deploy_rights(kube: Kube, namespace: str) -> Object:
    """Let the bot install releases of pools in a namespace, and return the Role."""
    return grant(kube, namespace, list(yaml.safe_load_all(DEPLOY.read_text())))


def grant(kube: Kube, namespace: str, documents: Sequence[Object]) -> Object:
    """Create a Role and its RoleBinding in a namespace, and return the Role once the API server applies it."""
    for document in documents:
        document["metadata"]["namespace"] = namespace
        kube.create(_of_bot(document))
    role = documents[0]
    wait_until("the rights in force", lambda: _may(kube, namespace, role["rules"][0]), seconds=10)
    return role


def a_role(*rules: Object) -> list[Object]:
    """Return a Role with these rules, and its binding to the bot's ServiceAccount."""
    api = "rbac.authorization.k8s.io"
    bound = {"apiGroup": api, "kind": "Role", "name": "limited"}
    account = {"kind": "ServiceAccount", "name": "rolloutbot"}
    return [
        {"apiVersion": f"{api}/v1", "kind": "Role", "metadata": {"name": "limited"}, "rules": [*rules]},
        {
            "apiVersion": f"{api}/v1",
            "kind": "RoleBinding",
            "metadata": {"name": "limited"},
            "roleRef": bound,
            "subjects": [account],
        },
    ]


def _of_bot(document: Object) -> Object:
    """Say in which namespace the ServiceAccount of a binding is."""
    for subject in document.get("subjects", []):
        subject["namespace"] = "rolloutbot"
    return document


def _may(kube: Kube, namespace: str, rule: Object) -> bool:
    """Ask for one right. The API server learns of a whole Role a moment after its creation."""
    user, groups = USERS["rolloutbot"]
    right = {"group": rule["apiGroups"][0], "resource": rule["resources"][0], "verb": rule["verbs"][0]}
    spec = {"user": user, "groups": [*groups], "resourceAttributes": {**right, "namespace": namespace}}
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
    return bool(kube.ask(review)["status"]["allowed"])
