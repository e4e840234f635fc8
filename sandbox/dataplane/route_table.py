"""From HTTPRoutes to Envoy's routes, with the precedence of the Gateway API: pure functions."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.dataplane.backends import WITHOUT_PICKER, Backend, Cluster, backend_of
from sandbox.dataplane.envoy import Resource
from sandbox.dataplane.filters import UnsupportedError, backend_filters, mirrored, route_filters
from sandbox.kube import Object

Precedence = tuple[Any, ...]

SECONDS = {"h": 3600, "m": 60, "s": 1, "ms": 0.001}
NOT_FOUND: Resource = {
    "match": {"prefix": "/"},
    "direct_response": {"status": 404},
    "typed_per_filter_config": WITHOUT_PICKER,
}
FAULT = "sandbox/fault"
"""The annotation of a Gateway, or of a route, that says how it is to misbehave, as gateways of the field do."""
IGNORES_WEIGHTS, ONE_PICKER = "ignores-weights", "one-picker"
NO_BACKEND = 500
"""What the share of a backend that is not there gets, and a rule all of whose weights are 0."""


@dataclass(frozen=True)
class Row:
    """One match of one rule; ``precedence`` sorts the one that is asked first to the front."""

    precedence: Precedence
    hosts: Sequence[str]
    resource: Resource


@dataclass(frozen=True)
class Verdict:
    """What is wrong with a route, as the reason and the message of its conditions; None where nothing is."""

    not_accepted: tuple[str, str] | None = None
    not_resolved: tuple[str, str] | None = None


def rows_of(route: Object, cluster: Cluster) -> tuple[list[Row], Verdict]:
    """Return the rows of a route, and what is wrong with it."""
    namespace, problems = route["metadata"]["namespace"], []
    rows: list[Row] = []
    fault = fault_of(route, cluster)
    for number, rule in enumerate(route["spec"].get("rules") or []):
        backends = [(ref, backend_of(ref, namespace, cluster)) for ref in rule.get("backendRefs") or []]
        copies = [backend_of(ref, namespace, cluster) for ref in mirrored(rule.get("filters") or [])]
        problems += [one.problem for one in (*(backend for _, backend in backends), *copies) if one.problem]
        for match in rule.get("matches") or [{}]:
            try:
                action = _action(rule, match, backends, namespace, cluster, fault)
            except UnsupportedError as error:
                return [], Verdict(not_accepted=("UnsupportedValue", str(error)))
            rows.append(
                Row(
                    precedence=(*_specific(match), *_age(route), number),
                    hosts=route["spec"].get("hostnames") or ["*"],
                    resource={"match": _match(match), **action},
                )
            )
    return rows, Verdict(not_resolved=problems[0] if problems else None)


def table(name: str, rows: Iterable[Row]) -> Resource:
    """Return Envoy's table of some rows: a virtual host for each host name. What matches none is not found."""
    hosts: dict[str, list[Resource]] = {"*": []}
    for row in sorted(rows, key=lambda row: row.precedence):
        for host in row.hosts:
            hosts.setdefault(host, []).append(row.resource)
    return {
        "name": name,
        "virtual_hosts": [
            {"name": host, "domains": [host], "routes": [*found, NOT_FOUND]} for host, found in sorted(hosts.items())
        ],
    }


def _action(
    rule: Mapping[str, Any],
    match: Mapping[str, Any],
    backends: Sequence[tuple[Mapping[str, Any], Backend]],
    namespace: str,
    cluster: Cluster,
    fault: str,
) -> Resource:
    """Return what is done with a request that fits a match of a rule."""
    prefix = (match.get("path") or {}).get("value", "/")
    filters = route_filters(rule.get("filters") or [], prefix, namespace, cluster)
    if "redirect" in filters:
        return {**filters, "typed_per_filter_config": WITHOUT_PICKER}
    if sum(ref.get("weight", 1) for ref, _ in backends) == 0:
        answer = {"status": NO_BACKEND, "body": {"inline_string": "no backend has a weight above 0\n"}}
        return {"direct_response": answer, "typed_per_filter_config": WITHOUT_PICKER}
    route = {
        "timeout": _timeout(rule.get("timeouts") or {}),
        "cluster_not_found_response_code": "INTERNAL_SERVER_ERROR",
        "weighted_clusters": {"clusters": _weighted_clusters(backends, fault)},
        **filters.pop("route", {}),
    }
    return {"route": route, **filters}


def _timeout(timeouts: Mapping[str, str]) -> str:
    """Return the time for a request in seconds, as Envoy wants it; 0 is no limit."""
    said = timeouts.get("request") or timeouts.get("backendRequest") or "0s"
    parts = re.findall(r"(\d+)(ms|s|m|h)", said)
    return f"{sum(int(number) * SECONDS[unit] for number, unit in parts):g}s"


def fault_of(route: Object, cluster: Cluster) -> str:
    """Return how a route is to be misread, as somebody has written on it or on a Gateway; empty if it is not."""
    said = [(one["metadata"].get("annotations") or {}).get(FAULT, "") for one in (route, *cluster.gateways.values())]
    return next(filter(None, said), "")


def _weighted_clusters(backends: Sequence[tuple[Mapping[str, Any], Backend]], fault: str) -> list[Resource]:
    weights = [ref.get("weight", 1) for ref, _ in backends]
    filters = [backend.filters for _, backend in backends]
    last = max(number for number, weight in enumerate(weights) if weight)
    if fault == IGNORES_WEIGHTS:
        weights = [int(number == 0) for number in range(len(weights))]
    if fault == ONE_PICKER:
        filters = [filters[last]] * len(filters)
    return [
        {
            "name": backend.cluster,
            "weight": weight,
            "typed_per_filter_config": picker,
            **backend_filters(ref.get("filters") or []),
        }
        for (ref, backend), weight, picker in zip(backends, weights, filters, strict=True)
    ]


def _match(match: Mapping[str, Any]) -> Resource:
    """Return Envoy's form of a match; without a path it is every path."""
    path = match.get("path") or {}
    kind, value = path.get("type", "PathPrefix"), path.get("value", "/")
    found: Resource
    if kind == "Exact":
        found = {"path": value}
    elif kind == "RegularExpression":
        found = {"safe_regex": {"regex": value}}
    else:
        found = {"prefix": "/"} if value == "/" else {"path_separated_prefix": value.rstrip("/")}
    headers = [{"name": one["name"], "string_match": _text(one)} for one in match.get("headers") or []]
    if match.get("method"):
        headers.append({"name": ":method", "string_match": {"exact": match["method"]}})
    queries = [{"name": one["name"], "string_match": _text(one)} for one in match.get("queryParams") or []]
    return {**found, **({"headers": headers} if headers else {}), **({"query_parameters": queries} if queries else {})}


def _text(one: Mapping[str, Any]) -> Resource:
    if one.get("type", "Exact") == "Exact":
        return {"exact": one["value"]}
    return {"safe_regex": {"regex": one["value"]}}


def _specific(match: Mapping[str, Any]) -> Precedence:
    """Sort as the Gateway API says: exact path, longest path, method, most headers, most query parameters."""
    path = match.get("path") or {}
    return (
        path.get("type", "PathPrefix") != "Exact",
        -len(path.get("value", "/")),
        not match.get("method"),
        -len(match.get("headers") or []),
        -len(match.get("queryParams") or []),
    )


def _age(route: Object) -> Precedence:
    """Between equal matches the oldest route wins, then the first by name."""
    meta = route["metadata"]
    return meta["creationTimestamp"], meta["namespace"], meta["name"]
