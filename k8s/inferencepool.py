"""InferencePools: whether one can serve. Its endpoint picker and its model servers count, not its status.

A pool has no replica count and, before a route names it, no status at all. So we count the pods that its selector
matches, and the endpoints of its picker's Service. Followers of a picker are NotReady on purpose: one ready endpoint is
enough.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any, Final

from kubernetes.client import ApiClient

from bot.domain.errors import GoneError
from bot.domain.gate import Readiness
from bot.domain.rollout import Pool
from bot.engine.route_port import PoolHealth
from k8s import client
from k8s.document import Document, full_name, namespace_of

GROUP: Final = "inference.networking.k8s.io"
POOLS: Final = client.Resource(f"/apis/{GROUP}/v1", "inferencepools", "InferencePool")
PODS: Final = client.Resource("/api/v1", "pods", "Pod")
SLICES: Final = client.Resource("/apis/discovery.k8s.io/v1", "endpointslices", "EndpointSlice")

Find = Callable[[Pool], Document]
"""Returns the document of a pool. Raises GoneError if there is none."""

_OVER: Final = frozenset({"Succeeded", "Failed"})
_beside: Final = ThreadPoolExecutor(16, "gates")


def list_pools(api: ApiClient, namespace: str) -> Sequence[Document]:
    """List the pools of a namespace, in one call."""
    return client.list_all(api, POOLS, namespace)


def pool_of(document: Document) -> Pool:
    """Return the pool that a document describes."""
    return Pool(namespace_of(document), str(document["metadata"]["name"]), GROUP)


def read_pool(api: ApiClient, pool: Pool) -> Document:
    """Read one pool. Raises GoneError if it does not exist."""
    return client.get(api, POOLS, pool.namespace, pool.name)


def pods_of(api: ApiClient, pool: Document, *, version: str = "") -> Sequence[Document]:
    """List the pods that a pool selects, without those that are ending or have ended."""
    found = client.list_all(api, PODS, namespace_of(pool), labels=selector_of(pool), version=version)
    return [pod for pod in found if not _is_leaving(pod)]


def selector_of(pool: Document) -> str:
    """Write the selector of a pool as ``kubectl -l`` takes it."""
    labels: Mapping[str, str] = pool["spec"]["selector"]["matchLabels"]
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))


def ready_count(pods: Sequence[Document]) -> int:
    """Count the pods that are Ready."""
    return sum(_is_ready(pod) for pod in pods)


def lack(api: ApiClient, pool: Document, pods: Sequence[Document]) -> str:
    """Say in a sentence why a pool cannot serve; empty if it can."""
    return _server_lack(pool, pods) or _picker_lack(api, pool)


def _server_lack(pool: Document, pods: Sequence[Document]) -> str:
    if pool["metadata"].get("deletionTimestamp"):
        return f"InferencePool `{full_name(pool)}` is being deleted."
    if not pods:
        return f"InferencePool `{full_name(pool)}` selects no pod: none has the labels `{selector_of(pool)}`."
    if not ready_count(pods):
        return f"InferencePool `{full_name(pool)}` has no ready model server: 0 of {len(pods)} pods are Ready."
    return ""


def _picker_lack(api: ApiClient, pool: Document) -> str:
    picker = pool["spec"].get("endpointPickerRef")
    if not picker:
        return ""  # optional since v1.6: the gateway then picks itself
    kind, name = picker.get("kind") or "Service", picker["name"]
    where = f"{kind} `{namespace_of(pool)}/{name}`, the endpoint picker of InferencePool `{pool['metadata']['name']}`,"
    if kind != "Service":
        return f"{where} cannot be checked: only a Service can."
    slices = client.list_all(api, SLICES, namespace_of(pool), labels=f"kubernetes.io/service-name={name}")
    if any(_is_serving(endpoint) for each in slices for endpoint in each.get("endpoints") or ()):
        return ""
    return f"{where} has no ready endpoint."


def health(api: ApiClient, stable: Pool, canary: Pool, now: datetime, *, find: Find) -> PoolHealth:
    """Say why the canary cannot serve, and count the ready endpoints of both. Raises ClusterError if nobody knows.

    The lists run in parallel, because the API server may delay each until its cache is fresh (up to 100 ms). The stable
    pool's counts are only shown; ``find`` returns its document, which may be a moment old.
    """
    stable_counts = _beside.submit(_counts, api, stable, find)
    pool = read_pool(api, canary)
    listed = _beside.submit(pods_of, api, pool)
    picker = _picker_lack(api, pool)
    pods = listed.result()
    seen = _readiness(stable_counts.result(), (ready_count(pods), len(pods)), now)
    return PoolHealth(lack=_server_lack(pool, pods) or picker, readiness=seen)


def readiness(api: ApiClient, stable: Pool, canary: Pool, now: datetime, *, find: Find) -> Readiness:
    """Count the ready model servers of both pools, for display; a missing pool has none."""
    return _readiness(_counts(api, stable, find), _counts(api, canary, find), now)


def _readiness(stable: tuple[int, int], canary: tuple[int, int], now: datetime) -> Readiness:
    return Readiness(canary_ready=canary[0], canary_of=canary[1], stable_ready=stable[0], stable_of=stable[1], at=now)


def _counts(api: ApiClient, pool: Pool, find: Find) -> tuple[int, int]:
    try:
        pods = pods_of(api, find(pool), version=client.ANY_VERSION)
    except GoneError:
        return 0, 0
    return ready_count(pods), len(pods)


def _is_leaving(pod: Document) -> bool:
    return bool(pod["metadata"].get("deletionTimestamp")) or pod.get("status", {}).get("phase") in _OVER


def _is_ready(pod: Document) -> bool:
    conditions: Sequence[Mapping[str, Any]] = pod.get("status", {}).get("conditions") or ()
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def _is_serving(endpoint: Mapping[str, Any]) -> bool:
    """An endpoint that says nothing about its readiness is ready (discovery.k8s.io/v1)."""
    conditions = endpoint.get("conditions") or {}
    return conditions.get("ready") is not False and conditions.get("terminating") is not True
