"""A small robot that plays what a bare control plane lacks: kubelet and gateway controller.

It only watches and writes status, so a real data plane can take its place.
"""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import urllib3

from sandbox.errors import ApiError
from sandbox.gateway import (
    CONTROLLER,
    Answer,
    class_status,
    gateway_status,
    gateways_of,
    missing_pool,
    parents_among,
    pool_status,
    route_status,
    same_status,
)
from sandbox.kube import Kube, Object, path_of
from sandbox.pods import needs_start, running_status
from sandbox.watching import Watch

log = logging.getLogger(__name__)

RETRY_SECONDS = 0.1

KINDS = {
    "Pod": "v1",
    "GatewayClass": "gateway.networking.k8s.io/v1",
    "Gateway": "gateway.networking.k8s.io/v1",
    "HTTPRoute": "gateway.networking.k8s.io/v1",
    "InferencePool": "inference.networking.k8s.io/v1",
}


class Robot:
    """Watches one namespace, or all if ``namespace`` is empty. One thread writes after each change."""

    def __init__(self, kube: Kube, namespace: str = "") -> None:
        self._kube = kube
        self._namespace = namespace
        self._answer = Answer()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._watches = {
            kind: Watch(kube, path_of(api, kind, namespace), self._wake.set) for kind, api in KINDS.items()
        }
        self._thread = threading.Thread(target=self._run, name="robot", daemon=True)

    @property
    def answer(self) -> Answer:
        """Return how the gateway answers route changes; assign another Answer to change that."""
        return self._answer

    @answer.setter
    def answer(self, answer: Answer) -> None:
        self._answer = answer
        self._wake.set()

    def start(self) -> None:
        """Start watching and answering."""
        for watch in self._watches.values():
            watch.start()
        self._thread.start()

    def stop(self) -> None:
        """End all threads."""
        self._stopping.set()
        self._wake.set()
        self._thread.join()
        for watch in self._watches.values():
            watch.stop()

    def _run(self) -> None:
        for watch in self._watches.values():
            while not watch.synced.wait(0.1):
                if self._stopping.is_set():
                    return
        while not self._stopping.is_set():
            self._wake.wait()
            self._wake.clear()
            self._stopping.wait(self._answer.delay_seconds)
            self._reconcile()

    def _reconcile(self) -> None:
        try:
            self._play_kubelet()
            self._play_gateway()
        except (ApiError, urllib3.exceptions.HTTPError) as error:
            # Somebody deleted the object meanwhile, or the API server is away: look again.
            log.debug("robot: %s", error)
            self._stopping.wait(RETRY_SECONDS)
            self._wake.set()

    def _all(self, kind: str) -> list[Object]:
        return list(self._watches[kind].objects.values())

    def _play_kubelet(self) -> None:
        for pod in self._all("Pod"):
            if pod["metadata"].get("deletionTimestamp"):
                self._kube.delete(_path("Pod", pod), grace_seconds=0)
            elif needs_start(pod):
                self._kube.merge(_path("Pod", pod) + "/status", {"status": running_status(pod, ready=True)})

    def _play_gateway(self) -> None:
        classes = {one["metadata"]["name"]: one for one in self._all("GatewayClass")}
        ours = {name for name, one in classes.items() if one["spec"]["controllerName"] == CONTROLLER}
        for name in ours:
            self._write("GatewayClass", classes[name], class_status(classes[name]))
        gateways = [one for one in self._all("Gateway") if one["spec"]["gatewayClassName"] in ours]
        for namespace in {one["metadata"]["namespace"] for one in gateways}:
            self._serve(namespace, [one for one in gateways if one["metadata"]["namespace"] == namespace])

    def _serve(self, namespace: str, gateways: list[Object]) -> None:
        """Write the status that the gateways of one namespace give its routes and pools."""
        names = {one["metadata"]["name"] for one in gateways}
        routes = [one for one in self._all("HTTPRoute") if one["metadata"]["namespace"] == namespace]
        pools = {
            one["metadata"]["name"]: one
            for one in self._all("InferencePool")
            if one["metadata"]["namespace"] == namespace
        }
        for route in () if self._answer.silent else routes:
            self._write("HTTPRoute", route, route_status(route, names, missing_pool(route, pools), self._answer))
        for pool in () if self._answer.silent else pools.values():
            self._write("InferencePool", pool, pool_status(pool, gateways_of(pool, routes, names)))
        for gateway in gateways:
            attached = sum(bool(parents_among(route, {gateway["metadata"]["name"]})) for route in routes)
            self._write("Gateway", gateway, gateway_status(gateway, attached, self._answer))

    def _write(self, kind: str, obj: Object, status: Object) -> None:
        if not same_status(obj.get("status") or {}, status):
            self._kube.merge(_path(kind, obj) + "/status", {"status": status})


def _path(kind: str, obj: Object) -> str:
    return path_of(KINDS[kind], kind, obj["metadata"].get("namespace", ""), obj["metadata"]["name"])


@contextmanager
def robot(kube: Kube, namespace: str = "") -> Iterator[Robot]:
    """Run a robot."""
    running = Robot(kube, namespace)
    running.start()
    try:
        yield running
    finally:
        running.stop()
