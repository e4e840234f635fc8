"""The one node of a data plane: it runs pods as processes, and does the work of the controllers that a pod needs.

Those are the controllers of Deployments and of EndpointSlices and the garbage collector, as far as the guide's objects
need them. Everything that it knows is on the API server, so the rest of the world cannot tell it from a real one.
"""

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from sandbox.apiserver import ApiServer
from sandbox.dataplane import deployments, images, slices
from sandbox.dataplane.deployments import is_going
from sandbox.dataplane.images import Program
from sandbox.dataplane.pod_process import GRACE_SECONDS, PodProcess, environment, kubeconfig, mounted, port_of
from sandbox.dataplane.targets import targets
from sandbox.errors import SandboxError
from sandbox.kube import Object, path_of
from sandbox.pods import NODE, failed_status, pod_ip, running_status
from sandbox.process import free_ports
from sandbox.reconciling import EXPECTED, RETRY_SECONDS, Loop
from sandbox.watching import Key, key_of

log = logging.getLogger(__name__)

KINDS: Mapping[str, str] = {
    "Pod": "v1",
    "Deployment": "apps/v1",
    "Service": "v1",
    "EndpointSlice": "discovery.k8s.io/v1",
}


class Node:
    """One thread that brings processes and objects together after each change."""

    def __init__(self, server: ApiServer, picker: Path, folder: Path) -> None:
        self._server, self._picker, self._folder = server, picker, folder
        self._kube = server.client()
        self._loop = Loop("node", self._kube, {kind: path_of(api, kind) for kind, api in KINDS.items()}, self._look)
        self._processes: dict[str, PodProcess] = {}

    @property
    def targets_file(self) -> Path:
        """Return the file that tells Prometheus what to scrape."""
        return self._folder / "targets.json"

    def process_of(self, namespace: str, name: str) -> PodProcess:
        """Return the process of a pod. Raises SandboxError if it has none."""
        for process in list(self._processes.values()):
            if key_of(process.pod) == (namespace, name):
                return process
        raise SandboxError(f"Pod {namespace}/{name} has no process.")

    def start(self) -> None:
        """Start."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self.targets_file.write_text("[]")
        self._loop.start()

    def stop(self) -> None:
        """Stop, and end all processes."""
        self._loop.stop()
        for process in self._processes.values():
            process.kill()
        self._kube.close()

    def _look(self) -> float | None:
        tried = [self._tried(work) for work in self._work()]
        is_ending = any(is_going(pod) for pod in self._loop.all("Pod"))
        return RETRY_SECONDS if is_ending or not all(tried) else None

    def _tried(self, work: Callable[[], None]) -> bool:
        """Do one piece of work, and return whether it went well: one object that fails holds up no other."""
        try:
            work()
        except EXPECTED as error:
            log.warning("node: %s", error)
            return False
        return True

    def _work(self) -> Iterator[Callable[[], None]]:
        """Yield everything that there is to do, piece by piece."""
        for deployment in self._loop.all("Deployment"):
            yield partial(self._run_deployment, deployment)
        for pod in deployments.orphans(self._loop.all("Pod"), self._loop.all("Deployment")):
            yield partial(self._delete, "Pod", pod)
        for pod in self._loop.all("Pod"):
            yield partial(self._run_pod, pod)
        yield from (self._forget_gone, self._write_slices, self._write_targets)

    # Deployments

    def _run_deployment(self, deployment: Object) -> None:
        if is_going(deployment):
            return
        pods = self._loop.all("Pod")
        plan = deployments.plan(deployment, pods)
        for pod in plan.create:
            self._loop.take_in("Pod", self._kube.create(pod))
        for pod in plan.delete:
            self._delete("Pod", pod)
        wanted = deployments.status(deployment, pods)
        now = deployment.get("status") or {}
        if any(now.get(key, 0) != value for key, value in wanted.items() if key != "conditions"):
            self._kube.merge(_path("Deployment", deployment) + "/status", {"status": wanted})

    # Pods

    def _run_pod(self, pod: Object) -> None:
        if pod["spec"].get("nodeName") != NODE:
            return
        process = self._processes.get(pod["metadata"]["uid"])
        if is_going(pod):
            self._end(pod, process)
        elif process is None:
            self._start(pod)
        else:
            if not process.runs():
                process.restart()
            self._write_status(pod, running_status(pod, ready=process.is_ready, restarts=process.restarts))

    def _start(self, pod: Object) -> None:
        folder = self._folder / f"{pod['metadata']['name']}.{pod['metadata']['uid'][:8]}"
        folder.mkdir(exist_ok=True)
        kind = images.kind_of(pod["spec"]["containers"][0]["image"])
        if not kind:
            self._write_status(pod, failed_status(pod, "ErrImagePull"))
            return
        account = {"KUBECONFIG": str(self._kubeconfig(pod, folder))} if kind == "picker" else {}
        program = self._program(pod, kind, folder)
        env = {**environment(pod), **account, **program.env}
        process = PodProcess(pod, program, folder, env, self._loop.wake)
        self._processes[process.uid] = process
        self._write_status(pod, running_status(pod, ready=False))

    def _program(self, pod: Object, kind: str, folder: Path) -> Program:
        """Return what a pod runs."""
        namespace, container = pod["metadata"]["namespace"], pod["spec"]["containers"][0]
        arguments = mounted(pod, folder, lambda name: self._kube.get(path_of("v1", "ConfigMap", namespace, name)))
        if kind == "picker":
            return images.picker(self._picker, arguments, free_ports(3))
        return images.model_server(container["image"], arguments, pod_ip(pod), port_of(pod))

    def _kubeconfig(self, pod: Object, folder: Path) -> Path:
        """Write a kubeconfig with a token of the pod's own service account: the chart's rights hold for real."""
        namespace, account = pod["metadata"]["namespace"], pod["spec"].get("serviceAccountName", "default")
        path = path_of("v1", "ServiceAccount", namespace, account) + "/token"
        ask = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 86400}}
        token = self._kube.post(path, ask)["status"]["token"]
        file = folder / "kubeconfig"
        file.write_text(kubeconfig(self._server.url, self._server.ca, token, namespace))
        return file

    def _end(self, pod: Object, process: PodProcess | None) -> None:
        grace = pod["metadata"].get("deletionGracePeriodSeconds", GRACE_SECONDS)
        if process is None or process.end(grace):
            self._processes.pop(pod["metadata"]["uid"], None)
            self._delete("Pod", pod, grace_seconds=0)
        else:
            self._write_status(pod, running_status(pod, ready=False, restarts=process.restarts))

    def _forget_gone(self) -> None:
        """Kill the processes of pods that somebody deleted without a grace period."""
        there = {pod["metadata"]["uid"] for pod in self._loop.all("Pod")}
        for uid in set(self._processes) - there:
            self._processes.pop(uid).kill()

    def _write_status(self, pod: Object, status: Object) -> None:
        if _timeless(pod.get("status") or {}) != _timeless(status):
            self._kube.merge(_path("Pod", pod) + "/status", {"status": status})

    # EndpointSlices and scrape targets

    def _write_slices(self) -> None:
        now = {key: one for key, one in self._loop.objects("EndpointSlice").items() if slices.is_ours(one)}
        wanted: dict[Key, Object] = {}
        running = [pod for pod in self._loop.all("Pod") if pod["metadata"]["uid"] in self._processes]
        for service in self._loop.all("Service"):
            for one in slices.slices_of(service, running, self._ports_of):
                wanted[key_of(one)] = one
        for key, one in wanted.items():
            if key not in now or any(now[key].get(part) != one[part] for part in ("endpoints", "ports")):
                self._kube.apply(one)
        for key in set(now) - set(wanted):
            self._delete("EndpointSlice", now[key])

    def _ports_of(self, pod: Object) -> Mapping[int, int]:
        return self._processes[pod["metadata"]["uid"]].program.ports

    def _write_targets(self) -> None:
        text = json.dumps(targets(self._processes.values(), self._loop.all("Service")), indent=1)
        if text != self.targets_file.read_text():
            draft = self.targets_file.with_suffix(".new")
            draft.write_text(text)
            draft.rename(self.targets_file)

    def _delete(self, kind: str, obj: Object, *, grace_seconds: int | None = None) -> None:
        self._kube.delete(_path(kind, obj), grace_seconds=grace_seconds, uid=obj["metadata"]["uid"])


def _path(kind: str, obj: Object) -> str:
    return path_of(KINDS[kind], kind, obj["metadata"]["namespace"], obj["metadata"]["name"])


def _timeless(status: Object) -> Object:
    """Return what of a pod's status is news when it changes."""
    conditions = {one["type"]: one["status"] for one in status.get("conditions") or []}
    containers = [(one["ready"], one["restartCount"], one["image"]) for one in status.get("containerStatuses") or []]
    return {"phase": status.get("phase"), "ip": status.get("podIP"), "are": conditions, "containers": containers}


@contextmanager
def node(server: ApiServer, picker: Path, folder: Path) -> Iterator[Node]:
    """Run a node whose endpoint pickers are the program ``picker``, with the pods' files below ``folder``."""
    running = Node(server, picker, folder)
    running.start()
    try:
        yield running
    finally:
        running.stop()
