"""InferencePools and what belongs to one: the resources, and what a pool's document says. Pure, but for the lists."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from kubernetes.client import ApiClient

from bot.domain.errors import RefusedError
from bot.domain.rollout import Pool
from k8s import client
from k8s.document import Document, namespace_of
from k8s.old_group import OLD_GROUP

GROUP: Final = "inference.networking.k8s.io"
OLD_POOLS: Final = client.Resource(f"/apis/{OLD_GROUP}/v1alpha2", "inferencepools", "InferencePool")
POOLS: Final = client.Resource(f"/apis/{GROUP}/v1", "inferencepools", "InferencePool")
PODS: Final = client.Resource("/api/v1", "pods", "Pod")
SERVICES: Final = client.Resource("/api/v1", "services", "Service")
SLICES: Final = client.Resource("/apis/discovery.k8s.io/v1", "endpointslices", "EndpointSlice")
OF_SERVICE: Final = "kubernetes.io/service-name"
"""The label of an EndpointSlice that names its Service."""
_A_SERVICE: Final = re.compile("[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
"""The API server takes any text as the name of a picker, and we put it into paths and queries."""


def list_pools(api: ApiClient, namespace: str) -> Sequence[Document]:
    """List the pools of a namespace, in one call."""
    return client.list_all(api, POOLS, namespace)


def is_of_old_group(api: ApiClient, namespace: str, name: str) -> bool:
    """Say whether a pool is there in the group that came before v1; not if we may not look, or nothing serves it."""
    try:
        pools = client.list_all(api, OLD_POOLS, namespace)
    except RefusedError:
        return False
    return any(pool["metadata"]["name"] == name for pool in pools)


def pool_of(document: Document) -> Pool:
    """Return the pool that a document describes."""
    return Pool(namespace_of(document), str(document["metadata"]["name"]), GROUP)


def is_ending(pool: Document) -> bool:
    """Say whether a pool is being deleted."""
    return bool(pool["metadata"].get("deletionTimestamp"))


def labels_of(pool: Document) -> Mapping[str, str]:
    """Return the labels that a pool selects pods by."""
    labels: Mapping[str, str] = pool["spec"]["selector"]["matchLabels"]
    return labels


def selector_of(pool: Document) -> str:
    """Write the selector of a pool as ``kubectl -l`` takes it."""
    return ",".join(f"{key}={value}" for key, value in sorted(labels_of(pool).items()))


def picker_of(pool: Document) -> Mapping[str, Any] | None:
    """Return the endpointPickerRef; None if the pool has none (optional since v1.6: the gateway then picks itself)."""
    return pool["spec"].get("endpointPickerRef") or None


def is_service(picker: Mapping[str, Any]) -> bool:
    """Say whether a picker is a Service, the only kind that can be looked at, and has a name that one can have."""
    return is_of_kind_service(picker) and bool(_A_SERVICE.fullmatch(str(picker.get("name"))))


def is_of_kind_service(picker: Mapping[str, Any]) -> bool:
    """Say whether a picker is said to be a Service."""
    return (picker.get("kind") or "Service") == "Service"
