"""A whole data plane: the guide's world with pods that run, pools that Helm installs, and a gateway that answers."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import urllib3

from sandbox import objects
from sandbox.apiserver import ApiServer, install_crds
from sandbox.dataplane.deployments import is_going, is_owned
from sandbox.dataplane.envoy import Envoy, envoy
from sandbox.dataplane.gateway import GatewayController, gateway_controller
from sandbox.dataplane.helm import Helm
from sandbox.dataplane.images import METRICS_PORT
from sandbox.dataplane.live_world import LiveWorld
from sandbox.dataplane.node import Node, node
from sandbox.dataplane.pod_process import port_of
from sandbox.dataplane.programs import Programs
from sandbox.dataplane.prometheus import Prometheus, prometheus
from sandbox.gateway import ADDRESS
from sandbox.kube import Kube, Object, path_of
from sandbox.objects import picker_name, pool_ref
from sandbox.pods import is_ready
from sandbox.process import free_ports, wait_until
from sandbox.world import CANARY, GATEWAY, ROUTE, STABLE

ADAPTER = "food-review"
NAMESPACE = "default"
FINISHED = "vllm:request_success_total"
KNOWN = "inference_pool_ready_pods"


@dataclass(frozen=True)
class Plane:
    """A running data plane."""

    url: str
    """Where the gateway answers."""
    port: int
    """Where the model servers listen, each at its own address."""
    programs: Programs
    server: ApiServer
    kube: Kube
    world: LiveWorld
    node: Node
    controller: GatewayController
    envoy: Envoy
    prometheus: Prometheus
    helm: Helm

    def install_pool(self, name: str) -> None:
        """Install a pool by Helm, as the guide does; its model servers have the label ``app`` = its name."""
        self.helm.install(name, NAMESPACE, self.programs.chart, chart_values(name, self.port))

    def answers(self) -> bool:
        """Return whether the gateway answers a request for the models with 200."""
        try:
            return urllib3.request("GET", f"{self.url}/v1/models", retries=False, timeout=2.0).status == 200
        except urllib3.exceptions.HTTPError:
            return False

    def pods(self, deployment: str) -> list[Object]:
        """Return the pods of a Deployment that are not being deleted."""
        owner = path_of("apps/v1", "Deployment", NAMESPACE, deployment)
        if not self.kube.exists(owner):
            return []
        wanted = self.kube.get(owner)
        found = self.kube.get(path_of("v1", "Pod", NAMESPACE))["items"]
        return [pod for pod in found if is_owned(pod, wanted) and not is_going(pod)]

    def ready(self, deployment: str) -> int:
        """Return how many pods of a Deployment are ready."""
        return sum(map(is_ready, self.pods(deployment)))

    def wait_ready(self, deployment: str, count: int) -> None:
        """Wait until a Deployment has so many pods and all are ready, and the gateway knows."""
        wait_until(
            f"{deployment}: {count} ready pods",
            lambda: [is_ready(pod) for pod in self.pods(deployment)] == [True] * count,
        )
        self.controller.wait_taken()

    def scale(self, deployment: str, replicas: int) -> None:
        """Set the replicas of a Deployment and wait until it has them."""
        path = path_of("apps/v1", "Deployment", NAMESPACE, deployment)
        self.kube.merge(path, {"spec": {"replicas": replicas}})
        self.wait_ready(deployment, replicas)

    def wait_serving(self, pool: str, servers: int) -> None:
        """Wait until a pool has so many ready model servers, and a ready picker that knows them all."""
        self.wait_ready(pool, servers)
        self.wait_ready(picker_name(pool), 1)
        wait_until(f"{pool}: its picker knows {servers} pods", lambda: self._known(pool) == servers)

    def answered(self, pool: str) -> int:
        """Return how many completions the model servers of a pool have finished."""
        return sum(int(_sample(f"{pod['status']['podIP']}:{port_of(pod)}", FINISHED)) for pod in self.pods(pool))

    def _known(self, pool: str) -> int:
        """Return how many ready pods the picker of a pool knows."""
        (pod,) = self.pods(picker_name(pool))
        process = self.node.process_of(NAMESPACE, pod["metadata"]["name"])
        return int(_sample(f"{process.address}:{process.program.port(METRICS_PORT)}", KNOWN))


def _sample(address: str, name: str) -> float:
    """Return the sum of the samples with a name that a program shows now."""
    lines = urllib3.request("GET", f"http://{address}/metrics", retries=False, timeout=2.0).data.decode().splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name + "{"))


def chart_values(pool: str, port: int) -> Object:
    """Return the values with which the guide's pools are installed."""
    return {
        "inferencePool": {"modelServers": {"matchLabels": {"app": pool}}, "targetPorts": [{"number": port}]},
        "inferenceExtension": {"failureMode": "FailClose"},
    }


@contextmanager
def data_plane(server: ApiServer, programs: Programs, folder: Path, *, servers: int = 2) -> Iterator[Plane]:
    """Run a data plane; all the traffic goes to the first pool, as before a rollout."""
    with (
        closing(server.client()) as kube,
        node(server, programs.picker, folder / "pods") as running,
        prometheus(programs.prometheus, running.targets_file, folder / "prometheus") as metrics,
        envoy(programs.envoy, folder / "envoy") as proxy,
        gateway_controller(kube, proxy) as controller,
    ):
        install_crds(kube, programs.crds)
        gate, port = free_ports(2)
        world = LiveWorld(kube, NAMESPACE)
        helm = Helm(programs.helm, server.kubeconfig(), folder / "helm")
        plane = Plane(
            f"http://{ADDRESS}:{gate}", port, programs, server, kube, world, running, controller, proxy, metrics, helm
        )
        kube.create(objects.gateway_class())
        kube.create(objects.gateway(GATEWAY, NAMESPACE, gate))
        for pool in (STABLE, CANARY):
            kube.create(objects.model_servers(pool, NAMESPACE, servers, port, adapters=[ADAPTER]))
            plane.install_pool(pool)
        kube.create(objects.route(ROUTE, NAMESPACE, GATEWAY, [objects.rule([pool_ref(STABLE)])]))
        for pool in (STABLE, CANARY):
            plane.wait_serving(pool, servers)
        wait_until("the gateway: a first answer", plane.answers)
        yield plane
