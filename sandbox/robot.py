"""A small robot that plays what a bare control plane lacks: kubelet and gateway controller.

It only watches and writes status, so a real data plane can take its place.
"""

from collections.abc import Iterator
from contextlib import contextmanager

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
from sandbox.reconciling import Loop

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
        self._answer = Answer()
        paths = {kind: path_of(api, kind, namespace) for kind, api in KINDS.items()}
        self._loop = Loop("robot", kube, paths, self._reconcile)

    def start(self) -> None:
        """Start watching and answering."""
        self._loop.start()

    def stop(self) -> None:
        """End all threads."""
        self._loop.stop()

    @property
    def answer(self) -> Answer:
        """Return how the gateway answers route changes; assign another Answer to change that."""
        return self._answer

    @answer.setter
    def answer(self, answer: Answer) -> None:
        self._answer = answer
        self._loop.wake()

    def _reconcile(self) -> None:
        self._loop.rest(self._answer.delay_seconds)
        self._play_kubelet()
        self._play_gateway()

    def _play_kubelet(self) -> None:
        for pod in self._loop.all("Pod"):
            if pod["metadata"].get("deletionTimestamp"):
                self._kube.delete(_path("Pod", pod), grace_seconds=0)
            elif needs_start(pod):
                self._kube.merge(_path("Pod", pod) + "/status", {"status": running_status(pod, ready=True)})

    def _play_gateway(self) -> None:
        classes = {one["metadata"]["name"]: one for one in self._loop.all("GatewayClass")}
        ours = {name for name, one in classes.items() if one["spec"]["controllerName"] == CONTROLLER}
        for name in ours:
            self._write("GatewayClass", classes[name], class_status(classes[name]))
        gateways = [one for one in self._loop.all("Gateway") if one["spec"]["gatewayClassName"] in ours]
        for namespace in {one["metadata"]["namespace"] for one in gateways}:
            self._serve(namespace, [one for one in gateways if one["metadata"]["namespace"] == namespace])

    def _serve(self, namespace: str, gateways: list[Object]) -> None:
        """Write the status that the gateways of one namespace give its routes and pools."""
        names = {one["metadata"]["name"] for one in gateways}
        routes = [one for one in self._loop.all("HTTPRoute") if one["metadata"]["namespace"] == namespace]
        pools = {
            one["metadata"]["name"]: one
            for one in self._loop.all("InferencePool")
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
