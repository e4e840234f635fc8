"""Which path the objects of a manifest have: the API server knows, by their apiVersion and kind."""

from dataclasses import dataclass, field
from typing import Any

from kubernetes.client import ApiClient

from bot.domain.errors import RefusedError
from k8s import client
from k8s.document import Document


@dataclass(slots=True)
class Kinds:
    """What the API server serves, read once for each apiVersion that is asked for."""

    api: ApiClient
    _read: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def place(self, document: Document, namespace: str) -> tuple[client.Resource, str] | None:
        """Return the resource of an object and its namespace, else ``namespace``; empty if it belongs to none.

        None if the API server serves no such kind, so that there can be none. Raises ClusterError.
        """
        version, kind = str(document.get("apiVersion")), str(document["kind"])
        root = f"/apis/{version}" if "/" in version else f"/api/{version}"
        if root not in self._read:
            try:
                self._read[root] = client.fetch(self.api, root, what=f"the kinds of `{version}`").get("resources") or []
            except RefusedError:
                self._read[root] = []
        for served in self._read[root]:
            if served.get("kind") == kind and "/" not in served["name"]:
                resource = client.Resource(root, str(served["name"]), kind)
                within = str(document["metadata"].get("namespace") or namespace) if served["namespaced"] else ""
                return resource, within
        return None
