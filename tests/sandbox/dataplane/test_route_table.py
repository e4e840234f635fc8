"""From HTTPRoutes to Envoy's routes: tables."""

import re
from typing import Any

import pytest

from sandbox.dataplane.backends import Cluster
from sandbox.dataplane.route_table import NOT_FOUND, Verdict, rows_of, table
from sandbox.kube import Object
from sandbox.objects import pool, pool_ref

POOLS = {("ns", name): pool(name, "ns") for name in ("old", "new")}
CLUSTER = Cluster(pools=POOLS, services={("ns", "web"): {"spec": {"ports": [{"port": 80}]}}})


def a_route(*rules: Object, name: str = "llm-route", created: str = "2026-11-28T00:00:00Z", **spec: Any) -> Object:
    return {
        "metadata": {"name": name, "namespace": "ns", "creationTimestamp": created},
        "spec": {"rules": list(rules), **spec},
    }


def a_rule(*refs: Object, **fields: Any) -> Object:
    return {"backendRefs": list(refs), **fields}


def path(value: str, kind: str = "PathPrefix") -> Object:
    return {"path": {"type": kind, "value": value}}


def routes_of(*routes: Object, cluster: Cluster = CLUSTER) -> list[Any]:
    """Return Envoy's routes for every host, in the order in which they are asked, but the last: not found."""
    rows = [row for route in routes for row in rows_of(route, cluster)[0]]
    hosts = {host["name"]: host["routes"] for host in table("main", rows)["virtual_hosts"]}
    found: list[Any] = hosts["*"]
    assert found[-1] == NOT_FOUND
    return found[:-1]


def backends(route: Object) -> list[tuple[str, int]]:
    return [(one["name"], one["weight"]) for one in route["route"]["weighted_clusters"]["clusters"]]


def test_the_weight_chooses_a_pool_and_then_that_pools_own_picker_is_asked() -> None:
    (route,) = routes_of(a_route(a_rule(pool_ref("old", 90), pool_ref("new", 10))))

    assert backends(route) == [("pool/ns/old", 90), ("pool/ns/new", 10)]
    asked = [
        one["typed_per_filter_config"]["envoy.filters.http.ext_proc"]["overrides"]["grpc_service"]["envoy_grpc"]
        for one in route["route"]["weighted_clusters"]["clusters"]
    ]
    assert asked == [{"cluster_name": "picker/ns/old"}, {"cluster_name": "picker/ns/new"}]


def test_only_a_pool_that_may_fail_open_answers_without_its_picker() -> None:
    spec = POOLS["ns", "new"]["spec"]
    open_spec = {**spec, "endpointPickerRef": {**spec["endpointPickerRef"], "failureMode": "FailOpen"}}
    cluster = Cluster(pools={**POOLS, ("ns", "new"): {**POOLS["ns", "new"], "spec": open_spec}})

    (route,) = routes_of(a_route(a_rule(pool_ref("old"), pool_ref("new"))), cluster=cluster)

    assert [
        one["typed_per_filter_config"]["envoy.filters.http.ext_proc"]["overrides"].get("failure_mode_allow", False)
        for one in route["route"]["weighted_clusters"]["clusters"]
    ] == [False, True]


@pytest.mark.parametrize(
    ("ref", "reason"),
    [
        (pool_ref("gone"), ("BackendNotFound", "InferencePool gone not found")),
        ({"name": "gone", "port": 80}, ("BackendNotFound", "Service gone not found")),
        ({"group": "x.io", "kind": "Odd", "name": "old"}, ("InvalidKind", "Odd of group x.io is not supported")),
        (
            {**pool_ref("old"), "namespace": "far"},
            ("RefNotPermitted", "No ReferenceGrant in far permits InferencePool old"),
        ),
    ],
)
def test_the_share_of_a_backend_that_is_not_there_leads_nowhere(ref: Object, reason: tuple[str, str]) -> None:
    route = a_route(a_rule(pool_ref("old", 80), {**ref, "weight": 20}))

    (found,) = routes_of(route)

    assert backends(found) == [("pool/ns/old", 80), ("nowhere", 20)]
    assert rows_of(route, CLUSTER)[1] == Verdict(not_resolved=reason)


def test_a_reference_grant_opens_another_namespace() -> None:
    grant = {
        "metadata": {"name": "g", "namespace": "far"},
        "spec": {
            "from": [{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "namespace": "ns"}],
            "to": [{"group": "inference.networking.k8s.io", "kind": "InferencePool"}],
        },
    }
    cluster = Cluster(pools={("far", "old"): pool("old", "far")}, grants={("far", "g"): grant})

    (found,) = routes_of(a_route(a_rule({**pool_ref("old", 1), "namespace": "far"})), cluster=cluster)

    assert backends(found) == [("pool/far/old", 1)]


def test_a_service_is_reached_without_a_picker() -> None:
    (found,) = routes_of(a_route(a_rule({"name": "web", "port": 80})))

    (backend,) = found["route"]["weighted_clusters"]["clusters"]
    assert backend["name"] == "service/ns/web/80"
    assert backend["typed_per_filter_config"]["envoy.filters.http.ext_proc"]["disabled"] is True


def test_where_all_weights_are_0_there_is_only_an_error() -> None:
    (found,) = routes_of(a_route(a_rule(pool_ref("old", 0), pool_ref("new", 0))))

    assert found["direct_response"]["status"] == 500


def test_the_most_specific_match_is_asked_first_then_the_oldest_route_then_the_first_rule() -> None:
    one = pool_ref("old", 1)
    header = {"headers": [{"name": "x-try", "value": "1"}]}
    late = a_route(
        a_rule(one, matches=[path("/")]),
        a_rule(one, matches=[path("/v1")]),
        a_rule(one, matches=[{**path("/v1"), **header}]),
        a_rule(one, matches=[{**path("/v1"), "method": "POST"}]),
        a_rule(one, matches=[path("/v1/models", "Exact")]),
        name="late",
        created="2026-11-28T01:00:00Z",
    )
    early = a_route(a_rule(one, matches=[path("/v1")], timeouts={"request": "7s"}), name="early")

    found = [(route["match"], route["route"]["timeout"]) for route in routes_of(late, early)]

    assert found == [
        ({"path": "/v1/models"}, "0s"),
        (
            {
                "path_separated_prefix": "/v1",
                "headers": [{"name": ":method", "string_match": {"exact": "POST"}}],
            },
            "0s",
        ),
        ({"path_separated_prefix": "/v1", "headers": [{"name": "x-try", "string_match": {"exact": "1"}}]}, "0s"),
        ({"path_separated_prefix": "/v1"}, "7s"),
        ({"path_separated_prefix": "/v1"}, "0s"),
        ({"prefix": "/"}, "0s"),
    ]


def test_each_host_name_has_the_routes_that_name_it() -> None:
    rows = [
        row
        for route in (
            a_route(a_rule(pool_ref("old")), hostnames=["a.com", "*.b.com"]),
            a_route(a_rule(pool_ref("new"))),
        )
        for row in rows_of(route, CLUSTER)[0]
    ]

    hosts = {host["name"]: len(host["routes"]) for host in table("main", rows)["virtual_hosts"]}

    assert hosts == {"*": 2, "*.b.com": 2, "a.com": 2}


def test_filters_change_headers_and_paths_and_copy_requests() -> None:
    filters = [
        {
            "type": "RequestHeaderModifier",
            "requestHeaderModifier": {"set": [{"name": "x-a", "value": "1"}], "remove": ["x-b"]},
        },
        {
            "type": "URLRewrite",
            "urlRewrite": {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/v1"}},
        },
        {"type": "RequestMirror", "requestMirror": {"backendRef": pool_ref("new"), "percent": 10}},
    ]

    (found,) = routes_of(a_route(a_rule(pool_ref("old"), matches=[path("/chat")], filters=filters)))

    assert found["request_headers_to_add"] == [
        {"header": {"key": "x-a", "value": "1"}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
    ]
    assert found["request_headers_to_remove"] == ["x-b"]
    assert found["route"]["regex_rewrite"] == {"pattern": {"regex": r"^/chat(/.*)?$"}, "substitution": r"/v1\1"}
    assert found["route"]["request_mirror_policies"] == [
        {
            "cluster": "pool/ns/new",
            "runtime_fraction": {"default_value": {"numerator": 100_000, "denominator": "MILLION"}},
        }
    ]


@pytest.mark.parametrize(
    ("prefix", "by", "before", "after"),
    [
        ("/chat", "/v1", "/chat/x", "/v1/x"),
        ("/chat", "/v1/", "/chat", "/v1"),
        ("/", "/v1", "/x", "/v1/x"),
        ("/chat", "/", "/chat/x", "/x"),
        ("/chat", "/", "/chat", "/"),
    ],
)
def test_a_replaced_prefix_leaves_the_parts_of_a_path_apart(prefix: str, by: str, before: str, after: str) -> None:
    change = {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": by}}
    rule = a_rule(pool_ref("old"), matches=[path(prefix)], filters=[{"type": "URLRewrite", "urlRewrite": change}])

    (found,) = routes_of(a_route(rule))

    rewrite = found["route"]["regex_rewrite"]
    assert re.sub(rewrite["pattern"]["regex"], rewrite["substitution"], before) == after


@pytest.mark.parametrize(
    ("timeouts", "seconds"),
    [
        ({}, "0s"),
        ({"request": "300s"}, "300s"),
        ({"request": "1h30m"}, "5400s"),
        ({"request": "500ms"}, "0.5s"),
        ({"backendRequest": "10s"}, "10s"),
    ],
)
def test_a_timeout_is_in_seconds(timeouts: dict[str, str], seconds: str) -> None:
    (found,) = routes_of(a_route(a_rule(pool_ref("old"), timeouts=timeouts)))

    assert found["route"]["timeout"] == seconds


def test_a_copy_to_a_pool_that_is_not_there_does_not_resolve() -> None:
    mirror = {"type": "RequestMirror", "requestMirror": {"backendRef": pool_ref("gone")}}

    rows, verdict = rows_of(a_route(a_rule(pool_ref("old"), filters=[mirror])), CLUSTER)

    assert len(rows) == 1
    assert verdict == Verdict(not_resolved=("BackendNotFound", "InferencePool gone not found"))


@pytest.mark.parametrize("redirect", [{"statusCode": 308}, {"path": {"type": "ReplaceFullPath"}}])
def test_a_redirect_that_this_gateway_does_not_have_is_a_no(redirect: Any) -> None:
    filters = [{"type": "RequestRedirect", "requestRedirect": redirect}]

    assert rows_of(a_route(a_rule(filters=filters)), CLUSTER)[1].not_accepted is not None


def test_a_filter_that_this_gateway_does_not_have_is_a_no() -> None:
    route = a_route(a_rule(pool_ref("old"), filters=[{"type": "ExtensionRef"}]))

    assert rows_of(route, CLUSTER) == (
        [],
        Verdict(not_accepted=("UnsupportedValue", "Filter ExtensionRef is not supported")),
    )
