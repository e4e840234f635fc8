"""The EndpointSlices of Services: pure functions."""

from collections.abc import Callable, Iterable, Mapping
from itertools import groupby

from sandbox.dataplane.deployments import is_going
from sandbox.kube import Object
from sandbox.pods import endpoint_slice

SERVICE = "kubernetes.io/service-name"
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
MANAGER = "sandbox"

Ports = Mapping[int, int]
"""Where a process listens for each port of its container."""


def slices_of(service: Object, pods: Iterable[Object], ports_of: Callable[[Object], Ports]) -> list[Object]:
    """Return the slices of a Service. Pods that listen at other ports than the rest have a slice of their own."""
    found = [pod for pod in pods if selects(service, pod) and not is_going(pod)]
    selected = sorted(found, key=lambda pod: str(pod["metadata"]["name"]))
    groups = groupby(sorted(selected, key=lambda pod: _key(pod, ports_of)), key=lambda pod: _key(pod, ports_of))
    return [_slice(service, number, list(group), ports_of) for number, (_, group) in enumerate(groups, 1)]


def selects(service: Object, pod: Object) -> bool:
    """Return whether a pod is behind a Service."""
    selector = service["spec"].get("selector") or {}
    labels = pod["metadata"].get("labels") or {}
    same = pod["metadata"]["namespace"] == service["metadata"]["namespace"]
    return bool(selector) and same and all(labels.get(key) == value for key, value in selector.items())


def is_ours(obj: Object) -> bool:
    """Return whether an EndpointSlice was written here."""
    return (obj["metadata"].get("labels") or {}).get(MANAGED_BY) == MANAGER


def _key(pod: Object, ports_of: Callable[[Object], Ports]) -> list[tuple[int, int]]:
    return sorted(ports_of(pod).items())


def _slice(service: Object, number: int, pods: list[Object], ports_of: Callable[[Object], Ports]) -> Object:
    meta, listens = service["metadata"], ports_of(pods[0])
    ports = {port.get("name", ""): _target(port) for port in service["spec"].get("ports") or []}
    made = endpoint_slice(
        meta["name"], meta["namespace"], pods, {name: listens.get(port, port) for name, port in ports.items()}
    )
    made["metadata"]["name"] = f"{meta['name']}-{number}"
    made["metadata"]["ownerReferences"] = [
        {"apiVersion": "v1", "kind": "Service", "name": meta["name"], "uid": meta["uid"], "controller": True}
    ]
    return made


def _target(port: Object) -> int:
    target = port.get("targetPort")
    return target if isinstance(target, int) else int(port["port"])


def addresses(one: Object) -> list[str]:
    """Return where the ready endpoints of a slice really listen: on loopback, which no EndpointSlice may name."""
    ready = [endpoint for endpoint in one.get("endpoints") or [] if (endpoint.get("conditions") or {}).get("ready")]
    return [address.replace("10.", "127.", 1) for endpoint in ready for address in endpoint["addresses"]]
