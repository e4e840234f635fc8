"""The guide's world on a data plane: what other people do to pods that really run."""

from dataclasses import dataclass
from typing import Any

import urllib3

from sandbox.dataplane.deployments import is_going
from sandbox.dataplane.pod_process import port_of
from sandbox.errors import SandboxError
from sandbox.kube import Object, path_of
from sandbox.model_server.api import BEHAVIOUR_PATH
from sandbox.objects import picker_name
from sandbox.pods import is_ready
from sandbox.process import wait_until
from sandbox.world import World

NOTICED_SECONDS = 30.0


@dataclass(frozen=True)
class LiveWorld(World):
    """Each call returns when the pods are so."""

    def set_servers_ready(self, pool: str, ready: int) -> None:
        """Make the first ``ready`` model servers of a pool healthy, and the others not."""
        pods = self.servers(pool)
        for number, pod in enumerate(pods):
            behave(pod, healthy=number < ready)
        wanted = [number < ready for number in range(len(pods))]
        wait_until(
            f"{pool}: {ready} ready model servers",
            lambda: [is_ready(pod) for pod in self.servers(pool)] == wanted,
            seconds=NOTICED_SECONDS,
        )

    def set_picker_ready(self, pool: str, ready: bool) -> None:
        """Scale a pool's endpoint picker to one, or to none."""
        name = picker_name(pool)
        path = path_of("apps/v1", "Deployment", self.namespace, name)
        self.kube.merge(path, {"spec": {"replicas": int(ready)}})
        wait_until(
            f"{name}: {'ready' if ready else 'gone'}",
            lambda: [is_ready(pod) for pod in self._pods(f"inferencepool={name}")] == [True] * ready,
            seconds=NOTICED_SECONDS,
        )

    def serve(self, pool: str, model: str) -> None:
        """Start a pool's model servers anew with another model."""
        path = path_of("apps/v1", "Deployment", self.namespace, pool)
        spec = self.kube.get(path)["spec"]["template"]["spec"]
        old = {pod["metadata"]["uid"] for pod in self.servers(pool)}
        (container,) = spec["containers"]
        arguments = list(container["args"])
        if arguments[arguments.index("--model") + 1] == model:
            return
        arguments[arguments.index("--model") + 1] = model
        change = {"containers": [{**container, "args": arguments}]}
        self.kube.merge(path, {"spec": {"template": {"spec": change}}})
        wait_until(
            f"{pool}: new model servers",
            lambda: self._are_new(pool, old),
            seconds=NOTICED_SECONDS,
        )

    def servers(self, pool: str) -> list[Object]:
        """Return the pods of a pool's model servers that are not being deleted."""
        return [pod for pod in self._pods(f"app={pool}") if not is_going(pod)]

    def _are_new(self, pool: str, old: set[str]) -> bool:
        now = self.servers(pool)
        return bool(now) and all(is_ready(pod) and pod["metadata"]["uid"] not in old for pod in now)


def behave(pod: Object, **change: Any) -> None:
    """Change how a model server behaves; see ``sandbox.model_server.behaviour``."""
    url = f"http://{pod['status']['podIP']}:{port_of(pod)}{BEHAVIOUR_PATH}"
    answer = urllib3.request("POST", url, json=change, retries=False, timeout=2.0)
    if answer.status >= 400:
        raise SandboxError(f"{pod['metadata']['name']}: {answer.data.decode()}")
