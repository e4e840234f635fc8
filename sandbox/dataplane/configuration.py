"""From everything that a gateway looks at to Envoy's whole configuration: pure functions."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sandbox.dataplane import backends
from sandbox.dataplane.backends import PICKER_FILTER, PICKER_SECONDS, Cluster
from sandbox.dataplane.envoy import NO_PICKER, Config, Resource
from sandbox.dataplane.route_table import Verdict, rows_of, table
from sandbox.gateway import ADDRESS, parents_among
from sandbox.kube import Object
from sandbox.watching import Key

Source = Callable[[str, str], Resource]
"""How a listener or a cluster names a file, by kind and name."""

_HTTP: Final = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_PICKER: Final = "type.googleapis.com/envoy.extensions.filters.http.ext_proc.v3.ExternalProcessor"
_ROUTER: Final = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"


@dataclass(frozen=True)
class Configured:
    """What Envoy is told, what is wrong with each route, and in which tables each route is."""

    config: Config
    verdicts: Mapping[Key, Verdict]
    tables: Mapping[Key, frozenset[str]]


def configure(cluster: Cluster, gateways: Sequence[Object], source: Source) -> Configured:
    """Return the configuration of some Gateways."""
    built = {key: rows_of(route, cluster) for key, route in cluster.routes.items()}
    attached = {
        listener_name(gateway, one): [key for key, route in cluster.routes.items() if _is_attached(route, gateway, one)]
        for gateway in gateways
        for one in gateway["spec"]["listeners"]
    }
    config = Config(
        clusters=_clusters(cluster, source),
        endpoints=_endpoints(cluster),
        listeners=[
            _listener(name, one["port"], source("rds", name))
            for gateway in gateways
            for one in gateway["spec"]["listeners"]
            for name in (listener_name(gateway, one),)
        ],
        routes={name: table(name, [row for key in keys for row in built[key][0]]) for name, keys in attached.items()},
    )
    tables = {key: frozenset(name for name, keys in attached.items() if key in keys) for key in cluster.routes}
    return Configured(config, {key: verdict for key, (_, verdict) in built.items()}, tables)


def listener_name(gateway: Object, listener: Mapping[str, Any]) -> str:
    """Return the name that Envoy gives a listener and its table of routes."""
    meta = gateway["metadata"]
    return f"{meta['namespace']}_{meta['name']}_{listener['name']}"


def _is_attached(route: Object, gateway: Object, listener: Mapping[str, Any]) -> bool:
    """Return whether a route names a Gateway, and this listener if it names one."""
    return any(
        ref.get("sectionName", listener["name"]) == listener["name"]
        and ref.get("port", listener["port"]) == listener["port"]
        for ref in parents_among(route, {gateway["metadata"]["name"]})
        if route["metadata"]["namespace"] == gateway["metadata"]["namespace"]
    )


def _clusters(cluster: Cluster, source: Source) -> list[Resource]:
    found = []
    for key in sorted(cluster.pools):
        own, picker = backends.pool_cluster(key), backends.picker_cluster(key)
        found += backends.pool_resources(key, source("eds", own), source("eds", picker))
    for name, _, _ in _service_ports(cluster):
        found.append(backends.service_resource(name, source("eds", name)))
    return found


def _endpoints(cluster: Cluster) -> dict[str, Resource]:
    listening = {}
    for key, pool in cluster.pools.items():
        listening[backends.pool_cluster(key)] = backends.pool_addresses(pool, cluster)
        listening[backends.picker_cluster(key)] = backends.picker_addresses(pool, cluster)
    for name, key, port in _service_ports(cluster):
        listening[name] = backends.service_addresses(key, port, cluster)
    return {name: backends.endpoints(name, found) for name, found in listening.items()}


def _service_ports(cluster: Cluster) -> list[tuple[str, Key, int]]:
    return [
        (backends.service_cluster(key, port["port"]), key, port["port"])
        for key, service in sorted(cluster.services.items())
        for port in service["spec"].get("ports") or []
    ]


def _listener(name: str, port: int, routes: Resource) -> Resource:
    manager = {
        "@type": _HTTP,
        "stat_prefix": name,
        "codec_type": "AUTO",
        "rds": {"route_config_name": name, "config_source": routes},
        "server_header_transformation": "PASS_THROUGH",
        "stream_idle_timeout": "0s",
        "strip_any_host_port": True,
        "http_filters": [
            {"name": PICKER_FILTER, "typed_config": _picker_filter()},
            {"name": "envoy.filters.http.router", "typed_config": {"@type": _ROUTER, "suppress_envoy_headers": True}},
        ],
    }
    chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
    return {
        "name": name,
        "address": {"socket_address": {"address": ADDRESS, "port_value": port}},
        "filter_chains": [chain],
    }


def _picker_filter() -> Resource:
    """Return the filter that asks a picker, as the protocol of InferencePools wants it: bodies are streamed to it."""
    service = {"envoy_grpc": {"cluster_name": NO_PICKER["name"]}, "timeout": PICKER_SECONDS}
    headers = dict.fromkeys(("request_header_mode", "response_header_mode"), "SEND")
    bodies = dict.fromkeys(("request_body_mode", "response_body_mode"), "FULL_DUPLEX_STREAMED")
    trailers = dict.fromkeys(("request_trailer_mode", "response_trailer_mode"), "SEND")
    return {
        "@type": _PICKER,
        "grpc_service": service,
        "message_timeout": PICKER_SECONDS,
        "failure_mode_allow": False,
        "stat_prefix": "picker",
        "processing_mode": {**headers, **bodies, **trailers},
    }
