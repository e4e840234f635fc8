"""The guide's world in one namespace: a gateway, a route, two pools with their model servers and endpoint pickers."""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from sandbox import objects
from sandbox.errors import ApiError
from sandbox.gateway import CONTROLLER
from sandbox.kube import Kube, Object, path_of
from sandbox.model_servers import MODELS
from sandbox.objects import GATEWAY_API, PICKER_PORTS, POOL_API, PORT, picker_name, pool_ref, rule
from sandbox.pods import STARTED_BY_MAKER, endpoint_slice, is_ready, running_status
from sandbox.process import wait_until

STABLE = "vllm-llama3-8b-instruct"
CANARY = "vllm-llama3-8b-instruct-new"
ROUTE = "llm-route"
GATEWAY = "inference-gateway"

_pool = ThreadPoolExecutor(8, "world")


@dataclass(frozen=True)
class World:
    """What other people do to the cluster. Each call returns when the API server has the change."""

    kube: Kube
    namespace: str
    route: str = ROUTE
    gateway: str = GATEWAY

    # Reading

    def http_route(self, name: str = "") -> Object:
        """Return an HTTPRoute, ours unless named."""
        return self.kube.get(self.route_path(name))

    def weights(self, name: str = "") -> list[tuple[str, int]]:
        """Return the backends of the first rule with their weights, in order."""
        refs = self.http_route(name)["spec"]["rules"][0]["backendRefs"]
        return [(ref["name"], ref["weight"]) for ref in refs]

    def conditions(self, name: str = "") -> dict[str, tuple[str, str, int]]:
        """Return status, reason and observed generation of each condition that our gateway wrote; {} before it has."""
        parents = self.http_route(name).get("status", {}).get("parents", [])
        found = [condition for one in parents if one["controllerName"] == CONTROLLER for condition in one["conditions"]]
        return {one["type"]: (one["status"], one["reason"], one["observedGeneration"]) for one in found}

    def wait_observed(self, name: str = "", *, seconds: float = 5.0) -> None:
        """Wait until the gateway has accepted or refused the newest spec of a route."""
        wait_until(f"{name or self.route}: observed by the gateway", lambda: self._observed(name), seconds=seconds)

    def gateway_object(self) -> Object:
        """Return the Gateway."""
        return self.kube.get(path_of(GATEWAY_API, "Gateway", self.namespace, self.gateway))

    def route_path(self, name: str = "") -> str:
        """Return the path of an HTTPRoute, ours unless named."""
        return path_of(GATEWAY_API, "HTTPRoute", self.namespace, name or self.route)

    # Changing routes

    def add_route(self, name: str, refs: Sequence[Object], *, path: str = "/") -> None:
        """Add another HTTPRoute with one rule; see ``objects.pool_ref``."""
        self.kube.create(objects.route(name, self.namespace, self.gateway, [rule(refs, path)]))

    def set_rules(self, rules: Sequence[Object], name: str = "") -> None:
        """Set the rules of a route, as by hand."""
        self.kube.merge(self.route_path(name), {"spec": {"rules": list(rules)}})

    def set_weights(self, weights: dict[str, int], name: str = "") -> None:
        """Set the rules of a route, as by hand: one rule with these pools."""
        self.set_rules([rule([pool_ref(pool, weight) for pool, weight in weights.items()])], name)

    def edit_weights(self, *weights: int, by: str = "kubectl-edit", name: str = "") -> None:
        """Edit the weights of the first rule's backends, in their order, as the field manager ``by``."""
        refs = "/spec/rules/0/backendRefs"
        edits = [
            {"op": "add", "path": f"{refs}/{place}/weight", "value": weight} for place, weight in enumerate(weights)
        ]
        self.kube.patch(f"{self.route_path(name)}?fieldManager={by}", edits)

    def edit(self, change: Object, *, by: str = "kubectl-edit", name: str = "") -> None:
        """Edit a route by a merge patch, as the field manager ``by``."""
        self.kube.merge(f"{self.route_path(name)}?fieldManager={by}", change)

    def set_annotations(self, annotations: dict[str, str | None], name: str = "") -> None:
        """Set annotations of a route; None removes one."""
        self.kube.merge(self.route_path(name), {"metadata": {"annotations": annotations}})

    def delete_route(self, name: str = "") -> None:
        """Delete an HTTPRoute, ours unless named."""
        self.kube.delete(self.route_path(name))

    # Changing pools

    def add_pool(self, name: str, *, servers: int = 2, pickers: int = 1, port: int = PORT) -> None:
        """Deploy a pool as the chart does, with model servers and a picker, all ready."""
        deployments = [
            objects.model_servers(name, self.namespace, servers, port),
            objects.picker(name, self.namespace, pickers),
        ]
        pods = [pod for deployment in deployments for pod in objects.pods_of(deployment)]
        for pod in pods:
            pod["metadata"].setdefault("annotations", {})[STARTED_BY_MAKER] = "true"
        service, pool = objects.picker_service(name, self.namespace), objects.pool(name, self.namespace, port)
        list(_pool.map(self.kube.create, [pool, *deployments, service, *pods]))
        list(_pool.map(self._set_ready, pods, [True] * len(pods)))
        self._write_slice(name)

    def set_servers_ready(self, pool: str, ready: int) -> None:
        """Make the first ``ready`` model servers of a pool ready, and the others not."""
        self._set_first_ready(f"app={pool}", ready)

    def set_picker_ready(self, pool: str, ready: bool) -> None:
        """Make a pool's endpoint picker ready or not, and update its EndpointSlice."""
        self._set_first_ready(f"inferencepool={picker_name(pool)}", 1 if ready else 0)
        self._write_slice(pool)

    def serve(self, pool: str, model: str) -> None:
        """Make a pool's model servers serve another model."""
        for pod in self.servers(pool):
            path = path_of("v1", "Pod", self.namespace, pod["metadata"]["name"])
            self.kube.merge(path, {"metadata": {"annotations": {MODELS: model}}})

    def delete_pool(self, name: str) -> None:
        """Delete only the InferencePool; its pods and picker go on."""
        self.kube.delete(path_of(POOL_API, "InferencePool", self.namespace, name))

    def delete_picker(self, pool: str) -> None:
        """Delete a pool's endpoint picker: Deployment, Service, EndpointSlice and pods."""
        epp = picker_name(pool)
        self.kube.delete(path_of("apps/v1", "Deployment", self.namespace, epp))
        self.kube.delete(path_of("v1", "Service", self.namespace, epp))
        self.kube.delete(path_of("discovery.k8s.io/v1", "EndpointSlice", self.namespace, f"{epp}-1"))
        for pod in self._pods(f"inferencepool={epp}"):
            self.kube.delete(path_of("v1", "Pod", self.namespace, pod["metadata"]["name"]), grace_seconds=0)

    def has_pool(self, pool: str) -> bool:
        """Say whether an InferencePool is there."""
        return self.kube.exists(path_of(POOL_API, "InferencePool", self.namespace, pool))

    def servers(self, pool: str) -> Sequence[Object]:
        """Return the pods of a pool's model servers."""
        return self._pods(f"app={pool}")

    def ready_servers(self, pool: str) -> int:
        """Return how many model servers of a pool are ready."""
        return sum(is_ready(pod) for pod in self.servers(pool))

    # Inside

    def _observed(self, name: str) -> bool:
        generation = self.http_route(name)["metadata"]["generation"]
        seen = self.conditions(name)
        return bool(seen) and all(condition[2] >= generation for condition in seen.values())

    def _pods(self, selector: str) -> list[Object]:
        path = path_of("v1", "Pod", self.namespace) + f"?labelSelector={selector}"
        return sorted(self.kube.get(path)["items"], key=lambda pod: str(pod["metadata"]["name"]))

    def _set_first_ready(self, selector: str, ready: int) -> None:
        pods = self._pods(selector)
        list(_pool.map(self._set_ready, pods, [number < ready for number in range(len(pods))]))

    def _set_ready(self, pod: Object, ready: bool) -> None:
        path = path_of("v1", "Pod", self.namespace, pod["metadata"]["name"])
        self.kube.merge(path + "/status", {"status": running_status(pod, ready=ready)})

    def _write_slice(self, pool: str) -> None:
        epp = picker_name(pool)
        pods = self._pods(f"inferencepool={epp}")
        self.kube.apply(endpoint_slice(epp, self.namespace, pods, dict(PICKER_PORTS)))


def create_world(
    kube: Kube,
    namespace: str = "default",
    *,
    route: str = ROUTE,
    pools: Iterable[str] = (STABLE, CANARY),
    servers: int = 2,
    gateway: str = GATEWAY,
    port: int = PORT,
) -> World:
    """Build the guide's world: the first pool has all the traffic, the other pools get none."""
    names = list(pools)
    world = World(kube, namespace, route, gateway)
    _ensure(kube, objects.namespace(namespace))
    _ensure(kube, objects.gateway_class())
    for name in names:
        world.add_pool(name, servers=servers, port=port)
    world.add_route(route, [pool_ref(names[0])])
    kube.create(objects.gateway(gateway, namespace))
    return world


def create_namespace(kube: Kube, name: str) -> None:
    """Create a namespace, unless it exists."""
    _ensure(kube, objects.namespace(name))


def _ensure(kube: Kube, obj: Object) -> None:
    try:
        kube.create(obj)
    except ApiError as error:
        if error.status != 409:
            raise
