"""The gateway controller of a data plane: Envoy does what HTTPRoutes say, and their status says when it does."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from sandbox.dataplane.backends import Cluster, picker_problem
from sandbox.dataplane.configuration import Configured, configure
from sandbox.dataplane.envoy import Config, Envoy, Refused
from sandbox.gateway import (
    CONTROLLER,
    Answer,
    class_status,
    gateway_status,
    gateways_of,
    parents_among,
    pool_status,
    route_status,
    same_status,
)
from sandbox.kube import Kube, Object, path_of
from sandbox.objects import GATEWAY_API, POOL_API
from sandbox.process import wait_until
from sandbox.reconciling import Loop
from sandbox.watching import Key, key_of

KINDS: Mapping[str, tuple[str, str]] = {
    "gateways": (GATEWAY_API, "Gateway"),
    "classes": (GATEWAY_API, "GatewayClass"),
    "routes": (GATEWAY_API, "HTTPRoute"),
    "pools": (POOL_API, "InferencePool"),
    "services": ("v1", "Service"),
    "slices": ("discovery.k8s.io/v1", "EndpointSlice"),
    "pods": ("v1", "Pod"),
    "grants": ("gateway.networking.k8s.io/v1beta1", "ReferenceGrant"),
}
"""What it watches, under the names of ``Cluster``."""


class GatewayController:
    """One thread that configures Envoy after each change, and writes status once Envoy has taken it."""

    def __init__(self, kube: Kube, envoy: Envoy) -> None:
        self._kube, self._envoy = kube, envoy
        self._config = Config()
        self._looks = 0
        paths = {name: path_of(*kind) for name, kind in KINDS.items()}
        self._loop = Loop("gateway", kube, paths, self._reconcile)

    def start(self) -> None:
        """Start watching and answering."""
        self._loop.start()

    def stop(self) -> None:
        """End all threads."""
        self._loop.stop()

    def wait_taken(self) -> None:
        """Wait until Envoy has all that is on the API server now."""
        wait_until("the gateway: the newest objects", self._is_up_to_date)
        for _ in range(2):  # the first look may have begun before
            done = self._looks + 1
            self._loop.wake()
            wait_until("the gateway: another look", partial(self._has_looked, done))

    def _is_up_to_date(self) -> bool:
        for name, kind in KINDS.items():
            there = {key_of(one): _version(one) for one in self._kube.get(path_of(*kind))["items"]}
            if there != {key: _version(one) for key, one in self._loop.objects(name).items()}:
                return False
        return True

    def _has_looked(self, times: int) -> bool:
        return self._looks >= times

    def _reconcile(self) -> None:
        cluster = Cluster(**{name: self._loop.objects(name) for name in KINDS})
        classes = [one for one in cluster.classes.values() if one["spec"]["controllerName"] == CONTROLLER]
        names = {one["metadata"]["name"] for one in classes}
        gateways = [one for one in cluster.gateways.values() if one["spec"]["gatewayClassName"] in names]
        wanted = configure(cluster, gateways, self._envoy.source)
        refused = self._envoy.take(self._config, wanted.config)
        if refused == Refused():
            self._config = wanted.config  # else the old routes stay, and need their clusters
        for one in classes:
            self._write("classes", one, class_status(one))
        for namespace in {one["metadata"]["namespace"] for one in gateways}:
            here = [one for one in gateways if one["metadata"]["namespace"] == namespace]
            self._tell(namespace, cluster, here, wanted, refused)
        self._looks += 1

    def _tell(
        self, namespace: str, cluster: Cluster, gateways: list[Object], wanted: Configured, refused: Refused
    ) -> None:
        """Write the status of everything that Envoy serves now in a namespace."""
        names = {one["metadata"]["name"] for one in gateways}
        routes = [one for key, one in cluster.routes.items() if key[0] == namespace]
        for route in routes:
            key = key_of(route)
            verdict, answer = wanted.verdicts[key], _answer(wanted, key, refused)
            self._write("routes", route, route_status(route, names, verdict.not_resolved, answer))
        for pool in [one for key, one in cluster.pools.items() if key[0] == namespace]:
            found = gateways_of(pool, routes, names)
            self._write("pools", pool, pool_status(pool, found, picker_problem(pool, cluster)))
        for gateway in gateways:
            attached = sum(bool(parents_among(route, {gateway["metadata"]["name"]})) for route in routes)
            answer = Answer(not_programmed="Envoy refused its listeners" if refused.listeners else "")
            self._write("gateways", gateway, gateway_status(gateway, attached, answer))

    def _write(self, name: str, obj: Object, status: Object) -> None:
        if not same_status(obj.get("status") or {}, status):
            api, kind = KINDS[name]
            path = path_of(api, kind, obj["metadata"].get("namespace", ""), obj["metadata"]["name"])
            self._kube.merge(path + "/status", {"status": status})


def _version(obj: Object) -> str:
    return str(obj["metadata"]["resourceVersion"])


def _answer(wanted: Configured, key: Key, refused: Refused) -> Answer:
    verdict, tables = wanted.verdicts[key], wanted.tables[key]
    if verdict.not_accepted:
        return Answer(refuses=verdict.not_accepted[1])
    if not tables:
        return Answer(refuses="No listener has this name or port", reason="NoMatchingParent")
    return Answer(refuses="Envoy refused the routes of this listener") if tables & refused.tables else Answer()


@contextmanager
def gateway_controller(kube: Kube, envoy: Envoy) -> Iterator[GatewayController]:
    """Run a gateway controller."""
    running = GatewayController(kube, envoy)
    running.start()
    try:
        yield running
    finally:
        running.stop()
