"""Reads what pools are made of: from the watches' copies, else from the API server."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from heapq import nsmallest
from typing import Final

from kubernetes.client import ApiClient

from bot.domain.errors import ClusterError, GoneError, RefusedError
from bot.domain.gate import MOST_ROUTES, Readiness
from bot.domain.rollout import Pool
from bot.engine.route_port import PoolHealth, PoolMembers
from k8s import client
from k8s.autoscalers import Autoscalers
from k8s.document import Document, full_name, namespace_of, pools_reached
from k8s.httproute import HTTPROUTES
from k8s.inferencepool import (
    OF_SERVICE,
    PODS,
    POOLS,
    SERVICES,
    SLICES,
    is_service,
    labels_of,
    picker_of,
    pool_of,
    selector_of,
)
from k8s.pool_health import Health, PoolParts, health_of, is_leaving, is_ready, restarts
from k8s.trial_route import is_trial
from k8s.watches import Watches

_beside: Final = ThreadPoolExecutor(16, "pools")


def _started(pod: Document) -> str:
    """Return what changes whenever a pod is started anew."""
    return f"{pod['metadata']['name']}/{pod['metadata']['uid']}/{restarts(pod)}"


@dataclass(frozen=True, slots=True)
class _Reach:
    """A version of a route, its name, and the pools that it sends to."""

    version: str
    name: str
    pools: frozenset[Pool]


class PoolReader:
    """Pools, their pods and their pickers. Raises ClusterError if nobody knows.

    A copy of a watch is a moment old, and up to half a minute if its connection is half open.
    """

    def __init__(self, api: ApiClient, watches: Watches, now: Callable[[], datetime]) -> None:
        self._api, self._watches, self._now = api, watches, now
        self._autoscalers = Autoscalers(api, now)
        self._reach: dict[str, _Reach] = {}  # by uid

    def document(self, pool: Pool) -> Document:
        """Return a pool. Raises GoneError if it does not exist."""
        kept = self._watches.object(POOLS, pool.namespace, pool.name)
        return client.get(self._api, POOLS, pool.namespace, pool.name) if kept is None else kept

    def parts(self, pool: Document, pods: Sequence[Document] | None = None) -> PoolParts:
        """Return a pool with what it needs to serve; with its pods, where they were listed already."""
        found = self.pods(pool) if pods is None else pods
        picker, namespace = picker_of(pool), namespace_of(pool)
        if picker is None or not is_service(picker):
            return PoolParts(pool=pool, pods=found)
        name = str(picker["name"])
        service, is_known = self._service(namespace, name)
        slices = self._slices(namespace, name)
        return PoolParts(pool=pool, pods=found, slices=slices, service=service, services_known=is_known)

    def pods(self, pool: Document) -> Sequence[Document]:
        """Return the pods that a pool selects, without those that leave; from a watch's copies, if there are any."""
        kept, labels = self._watches.objects(PODS, namespace_of(pool)), labels_of(pool).items()
        if kept is None:
            return self.listed_pods(pool)
        mine = [pod for pod in kept if labels <= (pod["metadata"].get("labels") or {}).items()]
        return [pod for pod in mine if not is_leaving(pod)]

    def members(self, pool: Pool) -> PoolMembers:
        """Name the pods and the picker's Service of a pool. Raises GoneError if it does not exist."""
        document = self.document(pool)
        pods = self.pods(document)
        names = sorted(str(pod["metadata"]["name"]) for pod in pods)
        ready = sorted(_started(pod) for pod in pods if is_ready(pod))
        picker = picker_of(document)
        service = str(picker["name"]) if picker is not None and is_service(picker) else ""
        return PoolMembers(pool=pool, pods=tuple(names), picker=service, ready=tuple(ready))

    def least(self, pool: Pool) -> int | None:
        """Return how few pods an autoscaler may leave a pool; None if none scales it, or nobody knows."""
        try:
            return self._autoscalers.least(pool.namespace, self.pods(self.document(pool)))
        except ClusterError:
            return None

    def listed_pods(self, pool: Document, *, version: str = "") -> Sequence[Document]:
        """List the pods that a pool selects, without those that leave."""
        found = client.list_all(self._api, PODS, namespace_of(pool), labels=selector_of(pool), version=version)
        return [pod for pod in found if not is_leaving(pod)]

    def pools_with(self, resource: client.Resource, part: Document) -> Sequence[Pool]:
        """Return the pools that a pod, a Service or an EndpointSlice belongs to, or the pool itself."""
        pools = self._watches.objects(POOLS, namespace_of(part)) or ()
        return [pool_of(part)] if resource is POOLS else [pool_of(pool) for pool in pools if _has(pool, resource, part)]

    def health(self, stable: Pool, canary: Pool) -> PoolHealth:
        """Judge both pools before the canary gets more. Raises GoneError if the canary does not exist.

        The canary's pods are listed, from the API server's cache where a watch keeps the rest: so a watch that has
        silently lost its connection does not decide alone. All else is looked at while the list is on its way.
        """
        is_watched = self._watches.objects(PODS, canary.namespace) is not None
        pool = self.document(canary)
        beside = _beside.submit(lambda: (self._health(stable), self.routes_to(stable)))
        pods = self.listed_pods(pool, version=client.ANY_VERSION if is_watched else "")
        judged = health_of(self.parts(pool, pods))
        other, routes = beside.result()
        readiness = self._readiness(other, judged, routes)
        return PoolHealth(lack=judged.lack, readiness=readiness, is_stable_gone=other.is_gone)

    def readiness(self, stable: Pool, canary: Pool) -> Readiness:
        """Judge both pools, for display; a missing pool has no ready server."""
        return self._readiness(self._health(stable), self._health(canary), self.routes_to(stable))

    def _health(self, pool: Pool) -> Health:
        try:
            return health_of(self.parts(self.document(pool)))
        except GoneError:
            return Health(0, 0, f"InferencePool `{pool.namespace}/{pool.name}` does not exist.", is_gone=True)

    def _readiness(self, stable: Health, canary: Health, routes: tuple[str, ...]) -> Readiness:
        return Readiness(
            canary_ready=canary.ready,
            canary_of=canary.of,
            canary_lack=canary.lack,
            stable_ready=stable.ready,
            stable_of=stable.of,
            stable_lack=stable.lack,
            stable_routes=routes,
            at=self._now(),
        )

    def routes_to(self, pool: Pool) -> tuple[str, ...]:
        """Return the first of the watched HTTPRoutes that give a pool weight, or mirror requests to it.

        Our own routes of trials are left out. A step waits for this, and every rollout keeps it.
        """
        routes = [route for route in self._watches.everywhere(HTTPROUTES) if not is_trial(route)]
        self._reach = reach = {route["metadata"]["uid"]: self._reach_of(route) for route in routes}
        return tuple(nsmallest(MOST_ROUTES, (each.name for each in reach.values() if pool in each.pools)))

    def _reach_of(self, route: Document) -> "_Reach":
        kept, version = self._reach.get(route["metadata"]["uid"]), route["metadata"]["resourceVersion"]
        if kept is not None and kept.version == version:
            return kept
        return _Reach(version, full_name(route), pools_reached(route))

    def _service(self, namespace: str, name: str) -> tuple[Document | None, bool]:
        """Return a Service, and whether that is known: the right to look may be missing."""
        kept = self._watches.objects(SERVICES, namespace)
        if kept is not None:
            return next((each for each in kept if each["metadata"]["name"] == name), None), True
        try:
            return client.get(self._api, SERVICES, namespace, name), True
        except GoneError:
            return None, True
        except RefusedError:
            return None, False

    def _slices(self, namespace: str, service: str) -> Sequence[Document]:
        kept = self._watches.objects(SLICES, namespace)
        if kept is None:
            return client.list_all(self._api, SLICES, namespace, labels=f"{OF_SERVICE}={service}")
        return [each for each in kept if (each["metadata"].get("labels") or {}).get(OF_SERVICE) == service]


def _has(pool: Document, resource: client.Resource, part: Document) -> bool:
    labels = part["metadata"].get("labels") or {}
    if resource is PODS:
        return labels_of(pool).items() <= labels.items()
    service = labels.get(OF_SERVICE) if resource is SLICES else part["metadata"]["name"]
    picker = picker_of(pool)
    return picker is not None and is_service(picker) and picker["name"] == service
