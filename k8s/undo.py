"""Manifests of what was deleted by hand, kept in a ConfigMap, so that one command puts them back."""

import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

from kubernetes.client import ApiClient

from bot.domain.errors import RaceError
from k8s import client
from k8s.document import Document

CONFIG_MAPS: Final = client.Resource("/api/v1", "configmaps", "ConfigMap")
KEY: Final = "manifests"
_OF_SERVER: Final = ("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink")


def keep(api: ApiClient, namespace: str, name: str, found: Sequence[Document]) -> None:
    """Keep the manifests of objects; if they are kept already, nothing changes."""
    items = [_manifest(each) for each in found]
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": items}, indent=1)
    document = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace, "labels": {"app.kubernetes.io/managed-by": "rolloutbot"}},
        "data": {KEY: text},
    }
    with suppress(RaceError):
        client.create(api, CONFIG_MAPS, namespace, document)


def command(namespace: str, name: str) -> str:
    """Return the command that puts back what was kept."""
    return f"kubectl get configmap {name} -n {namespace} -o jsonpath='{{.data.{KEY}}}' | kubectl apply -f -"


def _manifest(document: Document) -> dict[str, Any]:
    """Return an object as somebody would write it: without what the API server adds."""
    meta = {name: value for name, value in document["metadata"].items() if name not in _OF_SERVER}
    rest = {name: value for name, value in document.items() if name not in ("metadata", "status")}
    if document.get("kind") == "Service":
        given = {name: value for name, value in document["spec"].items() if name not in ("clusterIP", "clusterIPs")}
        rest["spec"] = {**given, "clusterIP": "None"} if document["spec"].get("clusterIP") == "None" else given
    return {**rest, "metadata": meta}
