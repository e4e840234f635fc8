"""One pod that runs as a process, with the probe that says whether it is ready."""

import json
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from sandbox.dataplane.images import Program
from sandbox.dataplane.probes import grpc_serves, http_answers
from sandbox.kube import Object
from sandbox.objects import PORT
from sandbox.pods import pod_ip
from sandbox.process import Server

STARTING_SECONDS = 0.05
READY_SECONDS = 1.0
"""How long a probe rests: it is asked often until the pod is ready."""
RESTART_SECONDS = 1.0
GRACE_SECONDS = 30


class PodProcess:
    """``changed`` is called when it becomes ready or not, and when it ends."""

    def __init__(
        self, pod: Object, program: Program, folder: Path, env: Mapping[str, str], changed: Callable[[], None]
    ) -> None:
        self.pod, self.program, self.changed = pod, program, changed
        self.address = pod_ip(pod)
        self.restarts = 0
        self._told_to_end: float | None = None
        self._is_gone = threading.Event()
        self._server = Server("container", program.command, folder, env)
        self._start()
        threading.Thread(target=self._probe, name=f"probe {pod['metadata']['name']}", daemon=True).start()

    @property
    def uid(self) -> str:
        """Return the pod's uid: another pod may get the same name."""
        return str(self.pod["metadata"]["uid"])

    def runs(self) -> bool:
        """Return whether the process runs."""
        return self._server.alive()

    def restart(self) -> None:
        """Start the process again after it has ended, at most once a second."""
        if time.monotonic() - self._started < RESTART_SECONDS:
            return
        self.restarts += 1
        self._start()

    def _start(self) -> None:
        self.is_ready = False
        self._started = time.monotonic()
        self._server.start()

    def end(self, grace_seconds: float) -> bool:
        """Ask it to end, or kill it if it was asked ``grace_seconds`` ago. Return whether it has ended."""
        if not self.runs():
            self._is_gone.set()
            return True
        if self._told_to_end is None:
            self._told_to_end, self.is_ready = time.monotonic(), False
            self._server.ask_to_end()
        elif time.monotonic() - self._told_to_end > grace_seconds:
            self._server.kill()
        return False

    def crash(self) -> None:
        """Kill the process, as a crash would. The node starts it again."""
        self._server.kill()

    def kill(self) -> None:
        """End it at once, for good."""
        self._is_gone.set()
        self._server.kill()

    def _probe(self) -> None:
        while not self._is_gone.wait(READY_SECONDS if self.is_ready else STARTING_SECONDS):
            running = self.runs()
            ready = running and self._told_to_end is None and self._answers()
            if ready != self.is_ready or not running:
                self.is_ready = ready
                self.changed()

    def _answers(self) -> bool:
        program = self.program
        if program.grpc_probe is not None:
            return grpc_serves(self.address, *program.grpc_probe)
        return program.http_probe is None or http_answers(self.address, *program.http_probe)


def port_of(pod: Object) -> int:
    """Return the first port of a pod's container."""
    return int((pod["spec"]["containers"][0].get("ports") or [{"containerPort": PORT}])[0]["containerPort"])


def mounted(pod: Object, folder: Path, read: Callable[[str], Object]) -> list[str]:
    """Write the ConfigMaps that a pod mounts below ``folder``, and return its arguments with those paths."""
    container = pod["spec"]["containers"][0]
    sources = {volume["name"]: volume.get("configMap") for volume in pod["spec"].get("volumes") or []}
    arguments = list(container.get("args") or [])
    for mount in container.get("volumeMounts") or []:
        source = sources.get(mount["name"])
        if source is None:
            continue
        target = folder / mount["name"]
        target.mkdir(exist_ok=True)
        for name, text in (read(source["name"]).get("data") or {}).items():
            (target / name).write_text(text)
        arguments = [part.replace(mount["mountPath"].rstrip("/") + "/", f"{target}/") for part in arguments]
    return arguments


def environment(pod: Object) -> dict[str, str]:
    """Return the variables that a pod's container asks for; of fields those that are known before it runs."""
    meta = pod["metadata"]
    fields = {"metadata.namespace": meta["namespace"], "metadata.name": meta["name"], "status.podIP": pod_ip(pod)}
    found = {}
    for variable in pod["spec"]["containers"][0].get("env") or []:
        path = ((variable.get("valueFrom") or {}).get("fieldRef") or {}).get("fieldPath")
        found[variable["name"]] = fields.get(path, "") if path else str(variable.get("value", ""))
    return found


def kubeconfig(url: str, ca: Path, token: str, namespace: str) -> str:
    """Return a kubeconfig with a service account's token, as a pod has it."""
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "pod",
            "clusters": [{"name": "pod", "cluster": {"server": url, "certificate-authority": str(ca)}}],
            "users": [{"name": "pod", "user": {"token": token}}],
            "contexts": [{"name": "pod", "context": {"cluster": "pod", "user": "pod", "namespace": namespace}}],
        }
    )
