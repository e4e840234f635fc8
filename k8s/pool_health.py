"""Whether a pool can serve: its endpoint picker and its model servers count, not its status. Pure.

A pool has no replica count and, before a route names it, no status at all. So we look at the pods that its selector
matches, and at the endpoints of its picker's Service. Followers of a picker are NotReady on purpose: one ready endpoint
is enough.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

from k8s.document import Document, full_name, namespace_of
from k8s.inferencepool import is_ending, is_of_kind_service, is_service, picker_of, selector_of

ROLE: Final = "llm-d.ai/role"
_STAGES: Final[Mapping[str, frozenset[str]]] = {
    "prefill": frozenset({"prefill"}),
    "decode": frozenset({"decode"}),
    "encode": frozenset({"encode"}),
    "both": frozenset({"prefill", "decode"}),  # the older spelling of the next one
    "prefill-decode": frozenset({"prefill", "decode"}),
    "encode-prefill": frozenset({"encode", "prefill"}),
    "encode-prefill-decode": frozenset({"encode", "prefill", "decode"}),
}
"""Which stages of a request a pod with this role serves."""
_OVER: Final = frozenset({"Succeeded", "Failed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolParts:
    """A pool and all that it needs to serve.

    ``pods`` are those that it selects, without those that leave. ``service`` is its picker's: None if there is none,
    or if nobody may look (``services_known`` is false then). ``slices`` are that Service's.
    """

    pool: Document
    pods: Sequence[Document]
    slices: Sequence[Document] = ()
    service: Document | None = None
    services_known: bool = True


@dataclass(frozen=True, slots=True)
class Health:
    """How many of a pool's pods are Ready, of how many, and why it cannot serve (a sentence; empty if it can).

    ``is_gone``: there is no such pool.
    """

    ready: int
    of: int
    lack: str
    is_gone: bool = False


def health_of(parts: PoolParts) -> Health:
    """Judge a pool."""
    return Health(ready_count(parts.pods), len(parts.pods), next(_lacks(parts), ""))


def ready_count(pods: Sequence[Document]) -> int:
    """Count the pods that are Ready."""
    return sum(is_ready(pod) for pod in pods)


def is_ready(pod: Document) -> bool:
    """Say whether a pod is Ready."""
    conditions: Sequence[Mapping[str, Any]] = pod.get("status", {}).get("conditions") or ()
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def restarts(pod: Document) -> int:
    """Return how often the containers of a pod have restarted."""
    return sum(int(one.get("restartCount") or 0) for one in pod.get("status", {}).get("containerStatuses") or ())


def is_leaving(pod: Document) -> bool:
    """Say whether a pod is being deleted, or has ended."""
    return bool(pod["metadata"].get("deletionTimestamp")) or pod.get("status", {}).get("phase") in _OVER


def _lacks(parts: PoolParts) -> Iterator[str]:
    """Yield what the pool lacks, the worst first."""
    name = f"InferencePool `{full_name(parts.pool)}`"
    if is_ending(parts.pool):
        yield f"{name} is being deleted."
    if not parts.pods:
        yield f"{name} selects no pod: none has the labels `{selector_of(parts.pool)}`."
    elif not ready_count(parts.pods):
        yield f"{name} has no ready model server: 0 of {len(parts.pods)} pods are Ready."
    yield from _role_lacks(name, parts.pods)
    yield from _port_lacks(name, parts)
    if picker := picker_of(parts.pool):
        yield from _picker_lacks(picker, parts)


# --- model servers


def _role_lacks(name: str, pods: Sequence[Document]) -> Iterator[str]:
    """Yield the stages of a request that no ready pod serves, if the pods have roles. Decode is always needed."""
    stages = [_stages(pod) for pod in pods]
    used = set(chain.from_iterable(each for each in stages if each is not None))
    if not used:
        return
    for stage in sorted(used | {"decode"}):
        serving = [pod for pod, each in zip(pods, stages, strict=True) if each is None or stage in each]
        if not ready_count(serving):
            yield f"{name} cannot answer: {stage} 0 of {len(serving)} pods Ready (label `{ROLE}`)."


def _stages(pod: Document) -> frozenset[str] | None:
    """Return the stages that a pod serves; None if it says nothing, and so serves all.

    The label may have any prefix: there are older ones than ROLE.
    """
    labels: Mapping[str, str] = pod["metadata"].get("labels") or {}
    roles = (value for key, value in sorted(labels.items()) if key.rpartition("/")[2] == "role")
    return next((stages for role in roles if (stages := _STAGES.get(role))), None)


def _port_lacks(name: str, parts: PoolParts) -> Iterator[str]:
    """Yield a sentence if every ready pod declares ports, and none of them is one of the pool's."""
    ready, deaf = [pod for pod in parts.pods if is_ready(pod)], deaf_pods(parts)
    if ready and len(deaf) == len(ready):
        found = _listed(set().union(*map(_ports, deaf)))
        yield f"No pod of {name} listens on port {_listed(_wanted(parts))}, which it names: they declare {found}."


def deaf_pods(parts: PoolParts) -> Sequence[Document]:
    """Return the ready pods that declare ports, and none of the pool's."""
    wanted = _wanted(parts)
    return [pod for pod in parts.pods if is_ready(pod) and wanted and (ports := _ports(pod)) and not ports & wanted]


def _wanted(parts: PoolParts) -> set[int]:
    return {int(port["number"]) for port in parts.pool["spec"].get("targetPorts") or ()}


def _ports(pod: Document) -> set[int]:
    """Return the ports that a pod declares; a sidecar is an init container that goes on."""
    spec = pod.get("spec", {})
    sidecars = [each for each in spec.get("initContainers") or () if each.get("restartPolicy") == "Always"]
    containers = (*(spec.get("containers") or ()), *sidecars)
    return {int(port["containerPort"]) for each in containers for port in each.get("ports") or ()}


# --- the endpoint picker


def _picker_lacks(picker: Mapping[str, Any], parts: PoolParts) -> Iterator[str]:
    pool, kind, name = parts.pool, picker.get("kind") or "Service", picker["name"]
    where = f"{kind} `{namespace_of(pool)}/{name}`, the endpoint picker of InferencePool `{pool['metadata']['name']}`,"
    if is_of_kind_service(picker) and not is_service(picker):
        yield f"{where} does not exist: no Service can have that name. Correct the pool's `endpointPickerRef`."
        return
    if not is_service(picker):
        yield f"{where} cannot be checked: only a Service can."
        return
    port = (picker.get("port") or {}).get("number")
    if parts.services_known:
        yield from _service_lacks(where, port, parts.service)
    if not any(_is_serving(each) for slice in _behind(port, parts) for each in slice.get("endpoints") or ()):
        yield f"{where} has no ready endpoint."


def _service_lacks(where: str, port: int | None, service: Document | None) -> Iterator[str]:
    if service is None:
        yield f"{where} does not exist."
        return
    if service["metadata"].get("deletionTimestamp"):
        yield f"{where} is being deleted."
    ports = {int(each["port"]) for each in service["spec"].get("ports") or ()}
    if port is not None and port not in ports:
        yield f"{where} has no port {port}, which the pool names: it has {_listed(ports)}."


def _behind(port: int | None, parts: PoolParts) -> Iterator[Document]:
    """Yield the EndpointSlices that serve the port that the pool names; all of them if nobody knows the port's name."""
    ports = parts.service["spec"].get("ports") or () if parts.service else ()
    names = {each.get("name") or "" for each in ports if each["port"] == port}
    for slice in parts.slices:
        served = {each.get("name") or "" for each in slice.get("ports") or ()}
        if not names or not served or names & served:
            yield slice


def _is_serving(endpoint: Mapping[str, Any]) -> bool:
    """An endpoint that says nothing about its readiness is ready (discovery.k8s.io/v1)."""
    conditions = endpoint.get("conditions") or {}
    return conditions.get("ready") is not False and conditions.get("terminating") is not True


def _listed(ports: set[int]) -> str:
    return ", ".join(map(str, sorted(ports))) or "none"
