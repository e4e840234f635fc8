"""What `check` says of a route: what is mirrored, and which other routes take its requests."""

from typing import Any

import pytest

from bot.domain.check import Grade
from k8s.checks.route import lines
from k8s.document import pools_reached
from tests.k8s.build import GROUP, NEW, OLD, STABLE, Json, a_ref, a_route, a_rule
from tests.k8s.scenes import a_scene


def said(route: Json, *others: Json, moving: int = 0) -> list[str]:
    """Return the warnings about a route, of which one rule moves, beside others."""
    scene = a_scene(route, *others, moving=moving)
    return [line.said for line in lines(scene) if line.grade is Grade.WARN]


def a_mirror(pool: str, **share: Any) -> Json:
    target = {"group": GROUP, "kind": "InferencePool", "name": pool}
    return {"type": "RequestMirror", "requestMirror": {"backendRef": target, **share}}


@pytest.mark.parametrize(
    ("share", "words"),
    [
        ({}, "all"),
        ({"percent": 10}, "10 %"),
        ({"fraction": {"numerator": 1, "denominator": 5}}, "1/5"),
        ({"fraction": {"numerator": 1}}, "1/100"),
    ],
)
def test_a_mirror_is_said_wherever_it_stands(share: Json, words: str) -> None:
    to_new = f"mirrors {words} of its requests to `{NEW}`, and will go on with that."
    in_rule = a_route(a_rule(a_ref(OLD), filters=[a_mirror(NEW, **share)]))
    assert said(in_rule) == [f"`rule 1` also {to_new}"]
    elsewhere = a_route(a_rule(a_ref(OLD)), a_rule(a_ref("docs"), name="docs", filters=[a_mirror(NEW, **share)]))
    assert said(elsewhere) == [f"`docs` also {to_new}"]
    on_backend = a_route(a_rule(a_ref(OLD, filters=[a_mirror(NEW, **share)])))
    assert said(on_backend)[1:] == [f"`rule 1` also {to_new}"]


def test_a_mirror_to_the_old_pool_keeps_it_in_use_wherever_it_stands() -> None:
    rules = [a_rule(a_ref(NEW), filters=[a_mirror(OLD)]), a_rule(a_ref(NEW, filters=[a_mirror(OLD)]))]
    assert [STABLE in pools_reached(a_route(rule)) for rule in rules] == [True, True]
    warned = f"`rule 2` mirrors all of its requests to `{OLD}`: do not delete that afterwards."
    assert said(a_route(a_rule(a_ref(OLD)), a_rule(a_ref("docs"), filters=[a_mirror(OLD)]))) == [warned]


AGE, BEFORE = "2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z"


def another(name: str = "first", created: str = BEFORE, path: str = "/", **spec: Any) -> Json:
    route = a_route(a_rule(a_ref("docs"), path=path), name=name, creationTimestamp=created)
    return {**route, "spec": {**route["spec"], **spec}}


@pytest.mark.parametrize(
    ("other", "is_first"),
    [
        (another(), True),
        (another(created=AGE), True),
        (another(name="z", created=AGE), False),
        (another(created="2026-01-03T00:00:00Z"), False),
        (another(path="/docs"), False),
        (another(hostnames=["b", "x"]), True),
        (another(hostnames=["x"]), False),
        (another(parentRefs=[{"name": "another-gateway"}]), False),
        (another(parentRefs=[{"name": "inference-gateway", "namespace": "default", "sectionName": "https"}]), True),
        (another(parentRefs=[{"name": "inference-gateway", "sectionName": "http"}]), False),
    ],
)
def test_a_route_that_takes_the_requests_is_named(other: Json, is_first: bool) -> None:
    mine = a_route(a_rule(a_ref(OLD)), creationTimestamp=AGE)
    mine["spec"]["parentRefs"] = [{"name": "inference-gateway", "sectionName": "https"}]
    if other["spec"].get("hostnames"):
        mine["spec"]["hostnames"] = ["a", "b"]
    first = (
        "HTTPRoute `default/first` takes precedence over this one: it has the same host and match, so it gets those "
        "requests."
    )
    assert said(mine, other) == ([first] if is_first else [])


def test_many_routes_that_take_the_requests_make_one_line_the_oldest_first() -> None:
    mine = a_route(a_rule(a_ref(OLD)), creationTimestamp=AGE)
    older = [another(name=f"r{number}", created=f"2025-01-0{7 - number}T00:00:00Z") for number in range(7)]
    first = (
        "7 HTTPRoutes take precedence over this one: they share a host and a match with it, so they get those requests"
    )
    named = "`default/r6`, `default/r5`, `default/r4`, `default/r3`, `default/r2` and 2 more"
    assert said(mine, *older) == [f"{first}: {named}."]
