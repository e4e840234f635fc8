"""The gateway controller of a data plane: Envoy does what HTTPRoutes say, and their status says when it does."""

import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial

import urllib3

from sandbox.dataplane.backends import Cluster, picker_problem
from sandbox.dataplane.configuration import configure
from sandbox.dataplane.envoy import Config, Envoy
from sandbox.dataplane.route_table import Verdict
from sandbox.errors import ApiError, SandboxError
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
from sandbox.process import wait_until
from sandbox.watching import Key, Watch, key_of

log = logging.getLogger(__name__)

RETRY_SECONDS = 0.2
GATEWAY = "gateway.networking.k8s.io/v1"
KINDS: Mapping[str, tuple[str, str]] = {
    "gateways": (GATEWAY, "Gateway"),
    "classes": (GATEWAY, "GatewayClass"),
    "routes": (GATEWAY, "HTTPRoute"),
    "pools": ("inference.networking.k8s.io/v1", "InferencePool"),
    "services": ("v1", "Service"),
    "slices": ("discovery.k8s.io/v1", "EndpointSlice"),
    "pods": ("v1", "Pod"),
    "grants": (f"{GATEWAY}beta1", "ReferenceGrant"),
}
"""What it watches, under the names of ``Cluster``."""


class GatewayController:
    """One thread that configures Envoy after each change, and writes status once Envoy has taken it."""

    def __init__(self, kube: Kube, envoy: Envoy) -> None:
        self._kube, self._envoy = kube, envoy
        self._config = Config()
        self._looks = 0
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._watches = {name: Watch(kube, path_of(*kind), self._wake.set) for name, kind in KINDS.items()}
        self._thread = threading.Thread(target=self._run, name="gateway", daemon=True)

    def start(self) -> None:
        """Start."""
        for watch in self._watches.values():
            watch.start()
        self._thread.start()

    def stop(self) -> None:
        """Stop."""
        self._stopping.set()
        self._wake.set()
        self._thread.join()
        for watch in self._watches.values():
            watch.stop()

    def wait_taken(self) -> None:
        """Wait until Envoy has all that is on the API server now."""
        wait_until("the gateway: the newest objects", self._is_up_to_date)
        for _ in range(2):  # the first look may have begun before
            done = self._looks + 1
            self._wake.set()
            wait_until("the gateway: another look", partial(self._has_looked, done))

    def _is_up_to_date(self) -> bool:
        for name, kind in KINDS.items():
            there = {key_of(one): _version(one) for one in self._kube.get(path_of(*kind))["items"]}
            if there != {key: _version(one) for key, one in self._watches[name].objects.items()}:
                return False
        return True

    def _has_looked(self, times: int) -> bool:
        return self._looks >= times

    def _run(self) -> None:
        for watch in self._watches.values():
            while not watch.synced.wait(0.1):
                if self._stopping.is_set():
                    return
        while not self._stopping.is_set():
            self._wake.wait()
            self._wake.clear()
            try:
                self._reconcile()
            except (ApiError, urllib3.exceptions.HTTPError, SandboxError) as error:
                # An object has changed or gone, or the API server or Envoy is away: look again.
                log.warning("gateway: %s", error)
                self._stopping.wait(RETRY_SECONDS)
                self._wake.set()

    def _reconcile(self) -> None:
        cluster = Cluster(**{name: watch.objects for name, watch in self._watches.items()})
        classes = [one for one in cluster.classes.values() if one["spec"]["controllerName"] == CONTROLLER]
        names = {one["metadata"]["name"] for one in classes}
        gateways = [one for one in cluster.gateways.values() if one["spec"]["gatewayClassName"] in names]
        config, verdicts = configure(cluster, gateways, self._envoy.source)
        is_taken = self._envoy.take(self._config, config)
        self._config = config
        for one in classes:
            self._write("classes", one, class_status(one))
        self._tell(cluster, gateways, verdicts, is_taken)
        self._looks += 1

    def _tell(self, cluster: Cluster, gateways: list[Object], verdicts: Mapping[Key, Verdict], is_taken: bool) -> None:
        """Write the status of everything that Envoy serves now."""
        for namespace in {one["metadata"]["namespace"] for one in gateways}:
            names = {one["metadata"]["name"] for one in gateways if one["metadata"]["namespace"] == namespace}
            routes = [one for key, one in cluster.routes.items() if key[0] == namespace]
            for route in routes:
                verdict = verdicts[key_of(route)]
                answer = _answer(verdict, is_taken)
                self._write("routes", route, route_status(route, names, verdict.not_resolved, answer))
            for pool in [one for key, one in cluster.pools.items() if key[0] == namespace]:
                found = gateways_of(pool, routes, names)
                self._write("pools", pool, pool_status(pool, found, picker_problem(pool, cluster)))
            for gateway in [one for one in gateways if one["metadata"]["namespace"] == namespace]:
                attached = sum(bool(parents_among(route, {gateway["metadata"]["name"]})) for route in routes)
                self._write("gateways", gateway, gateway_status(gateway, attached, Answer()))

    def _write(self, name: str, obj: Object, status: Object) -> None:
        if not same_status(obj.get("status") or {}, status):
            api, kind = KINDS[name]
            path = path_of(api, kind, obj["metadata"].get("namespace", ""), obj["metadata"]["name"])
            self._kube.merge(path + "/status", {"status": status})


def _version(obj: Object) -> str:
    return str(obj["metadata"]["resourceVersion"])


def _answer(verdict: Verdict, is_taken: bool) -> Answer:
    if not is_taken:
        return Answer(refuses="Envoy refused the configuration")
    return Answer(refuses=verdict.not_accepted[1]) if verdict.not_accepted else Answer()


@contextmanager
def gateway_controller(kube: Kube, envoy: Envoy) -> Iterator[GatewayController]:
    """Run a gateway controller."""
    running = GatewayController(kube, envoy)
    running.start()
    try:
        yield running
    finally:
        running.stop()
