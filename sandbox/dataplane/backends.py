"""From InferencePools and Services to Envoy's clusters: pure functions.

The weight chooses a cluster first. Then that cluster's own endpoint picker chooses the pod, and names it in a header.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sandbox.dataplane.deployments import is_going
from sandbox.dataplane.envoy import HTTP2, Resource
from sandbox.dataplane.slices import SERVICE, addresses
from sandbox.gateway import GATEWAY_GROUP, POOL_GROUP
from sandbox.kube import Object
from sandbox.pods import is_ready
from sandbox.watching import Key, key_of

PICKER_FILTER: Final = "envoy.filters.http.ext_proc"
CHOSEN_HEADER: Final = "x-gateway-destination-endpoint"
PICKER_SECONDS: Final = "10s"
_EXTENSIONS: Final = "type.googleapis.com/envoy.extensions."
_PER_ROUTE: Final = f"{_EXTENSIONS}filters.http.ext_proc.v3.ExtProcPerRoute"
_UNLIMITED: Final = {"max_connections": 40000, "max_pending_requests": 40000, "max_requests": 40000}
WITHOUT_PICKER: Final[Resource] = {PICKER_FILTER: {"@type": _PER_ROUTE, "disabled": True}}

Address = tuple[str, int]


@dataclass(frozen=True)
class Cluster:
    """Everything of the API server that a gateway looks at."""

    gateways: Mapping[Key, Object] = field(default_factory=dict)
    classes: Mapping[Key, Object] = field(default_factory=dict)
    routes: Mapping[Key, Object] = field(default_factory=dict)
    pools: Mapping[Key, Object] = field(default_factory=dict)
    services: Mapping[Key, Object] = field(default_factory=dict)
    slices: Mapping[Key, Object] = field(default_factory=dict)
    pods: Mapping[Key, Object] = field(default_factory=dict)
    grants: Mapping[Key, Object] = field(default_factory=dict)


@dataclass(frozen=True)
class Backend:
    """Where a backendRef leads; ``problem`` is the reason and the message if it leads nowhere."""

    cluster: str = "nowhere"
    filters: Resource = field(default_factory=lambda: WITHOUT_PICKER)
    problem: tuple[str, str] | None = None


def backend_of(ref: Mapping[str, Any], namespace: str, cluster: Cluster) -> Backend:
    """Return where a backendRef of an HTTPRoute in ``namespace`` leads."""
    group, kind, name = ref.get("group", ""), ref.get("kind", "Service"), ref["name"]
    key = (ref.get("namespace", namespace), name)
    if key[0] != namespace and not _is_granted(namespace, group, kind, key, cluster):
        return Backend(problem=("RefNotPermitted", f"No ReferenceGrant in {key[0]} permits {kind} {name}"))
    if (group, kind) == (POOL_GROUP, "InferencePool"):
        pool = cluster.pools.get(key)
        if pool is None:
            return Backend(problem=("BackendNotFound", f"InferencePool {name} not found"))
        return Backend(cluster=pool_cluster(key), filters=_with_picker(key, pool))
    if (group, kind) == ("", "Service"):
        if key not in cluster.services:
            return Backend(problem=("BackendNotFound", f"Service {name} not found"))
        return Backend(cluster=service_cluster(key, int(ref.get("port", 80))))
    return Backend(problem=("InvalidKind", f"{kind} of group {group or 'core'} is not supported"))


def pool_cluster(key: Key) -> str:
    """Return the name of a pool's cluster."""
    return f"pool/{key[0]}/{key[1]}"


def picker_cluster(key: Key) -> str:
    """Return the name of the cluster of a pool's endpoint picker."""
    return f"picker/{key[0]}/{key[1]}"


def service_cluster(key: Key, port: int) -> str:
    """Return the name of a Service's cluster."""
    return f"service/{key[0]}/{key[1]}/{port}"


def pool_addresses(pool: Object, cluster: Cluster) -> list[Address]:
    """Return the ready pods of a pool, at each of its ports."""
    labels = pool["spec"]["selector"]["matchLabels"]
    ready = [
        pod["status"]["podIP"]
        for pod in cluster.pods.values()
        if pod["metadata"]["namespace"] == pool["metadata"]["namespace"]
        and labels.items() <= (pod["metadata"].get("labels") or {}).items()
        and is_ready(pod)
        and not is_going(pod)
    ]
    return sorted((address, port["number"]) for address in ready for port in pool["spec"]["targetPorts"])


def picker_addresses(pool: Object, cluster: Cluster) -> list[Address]:
    """Return the ready endpoints of a pool's picker: by its Service and that one's EndpointSlices."""
    ref = pool["spec"].get("endpointPickerRef") or {}
    return service_addresses(
        (pool["metadata"]["namespace"], ref.get("name", "")), (ref.get("port") or {}).get("number", 0), cluster
    )


def service_addresses(key: Key, port: int, cluster: Cluster) -> list[Address]:
    """Return the ready endpoints of a Service's port."""
    ports = (cluster.services.get(key) or {"spec": {}})["spec"].get("ports") or []
    name = next((one.get("name", "") for one in ports if one["port"] == port), None)
    if name is None:
        return []
    return sorted(
        (address, listens["port"])
        for one in cluster.slices.values()
        if _is_of(one, key)
        for listens in one.get("ports") or []
        if listens.get("name", "") == name
        for address in addresses(one)
    )


def picker_problem(pool: Object, cluster: Cluster) -> tuple[str, str] | None:
    """Return why a pool's endpointPickerRef leads nowhere; None if it leads to a Service's port."""
    ref = pool["spec"].get("endpointPickerRef") or {}
    service = cluster.services.get((pool["metadata"]["namespace"], ref.get("name", "")))
    if service is None:
        return "InvalidExtensionRef", f"Service {ref.get('name', '')} not found"
    wanted = (ref.get("port") or {}).get("number")
    if all(port["port"] != wanted for port in service["spec"].get("ports") or []):
        return "InvalidExtensionRef", f"Service {ref['name']} has no port {wanted}"
    return None


def pool_resources(key: Key, source: Resource, picker_source: Resource) -> list[Resource]:
    """Return the clusters of a pool and of its picker; the sources say in which files their endpoints are."""
    return [
        {**_eds(pool_cluster(key), source), "load_balancing_policy": _CHOSEN_BY_HEADER},
        {**_eds(picker_cluster(key), picker_source), "typed_extension_protocol_options": HTTP2},
    ]


def service_resource(name: str, source: Resource) -> Resource:
    """Return the cluster of a Service."""
    return _eds(name, source)


def endpoints(name: str, listening: Iterable[Address]) -> Resource:
    """Return the endpoints of a cluster."""
    found = [
        {"endpoint": {"address": {"socket_address": {"address": address, "port_value": port}}}}
        for address, port in listening
    ]
    return {"cluster_name": name, "endpoints": [{"lb_endpoints": found}]}


def _with_picker(key: Key, pool: Object) -> Resource:
    """Return the filter's setting that asks this pool's picker, and none else."""
    service = {"envoy_grpc": {"cluster_name": picker_cluster(key)}, "timeout": PICKER_SECONDS}
    overrides: Resource = {"grpc_service": service}
    if (pool["spec"].get("endpointPickerRef") or {}).get("failureMode") == "FailOpen":
        overrides["failure_mode_allow"] = True
    return {PICKER_FILTER: {"@type": _PER_ROUTE, "overrides": overrides}}


def _is_granted(namespace: str, group: str, kind: str, key: Key, cluster: Cluster) -> bool:
    """Return whether a ReferenceGrant lets routes of ``namespace`` send to an object of another one."""
    for grant in cluster.grants.values():
        if key_of(grant)[0] != key[0]:
            continue
        comes = any(
            (one["group"], one["kind"], one["namespace"]) == (GATEWAY_GROUP, "HTTPRoute", namespace)
            for one in grant["spec"]["from"]
        )
        goes = any(
            (one["group"], one["kind"]) == (group, kind) and one.get("name", key[1]) == key[1]
            for one in grant["spec"]["to"]
        )
        if comes and goes:
            return True
    return False


def _is_of(one: Object, service: Key) -> bool:
    labels = one["metadata"].get("labels") or {}
    return (one["metadata"]["namespace"], labels.get(SERVICE)) == service


def _eds(name: str, source: Resource) -> Resource:
    return {
        "name": name,
        "type": "EDS",
        "connect_timeout": "1s",
        "eds_cluster_config": {"eds_config": source},
        "circuit_breakers": {"thresholds": [_UNLIMITED]},
    }


def _policy(name: str, kind: str, **settings: Any) -> Resource:
    config = {"@type": f"{_EXTENSIONS}load_balancing_policies.{name}.v3.{kind}", **settings}
    return {"typed_extension_config": {"name": f"envoy.load_balancing_policies.{name}", "typed_config": config}}


_CHOSEN_BY_HEADER: Final[Resource] = {
    "policies": [
        _policy(
            "override_host",
            "OverrideHost",
            override_host_sources=[{"header": CHOSEN_HEADER}],
            fallback_policy={"policies": [_policy("round_robin", "RoundRobin")]},
        )
    ]
}
"""The picker's choice counts; where a pool may fail open and there is none, the pods take turns."""
