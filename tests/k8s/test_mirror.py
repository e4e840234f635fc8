"""The mirror before the first weight: our own filter in the rule, and nobody else's is touched."""

from dataclasses import replace
from typing import Any

import pytest

from bot.domain.check import Grade
from bot.domain.rollout import Pair, Phase, Rollout
from bot.engine.route_port import Guard
from k8s.checks import mirroring
from k8s.document import locate
from k8s.lost_rules import observe
from k8s.route_status import GatewayFacts, Parent
from tests.k8s.build import (
    NEW,
    OLD,
    Json,
    PatchRefusedError,
    a_moving,
    a_ref,
    a_rollout,
    a_route,
    a_rule,
    patch,
    serve,
    spec_of,
)
from tests.k8s.scenes import a_scene

SETS_HEADER = {
    "type": "RequestHeaderModifier",
    "requestHeaderModifier": {"set": [{"name": "x-team", "value": "<llm>"}]},
}
TO_ANOTHER = {"type": "RequestMirror", "requestMirror": {"backendRef": a_ref("log", None), "percent": 1}}
OURS = {"type": "RequestMirror", "requestMirror": {"backendRef": a_ref(NEW, None), "percent": 10}}
FILTERS: list[list[Json]] = [[], [SETS_HEADER], [TO_ANOTHER, SETS_HEADER]]
FIRST_WEIGHT: dict[str, Any] = {"step": 1, "base": 0, "decision": "d-2"}
BACK: dict[str, Any] = {"phase": Phase.ROLLED_BACK, "base": 0, "decision": "d-2"}


def a_mirroring(document: Json, percent: int = 10, **fields: Any) -> Rollout:
    """Return a rollout at its first step, which mirrors."""
    rollout = a_rollout(document, **fields)
    return replace(rollout, plan=replace(rollout.plan, mirror=percent, steps=(0, *rollout.plan.steps)))


def with_filters(filters: list[Json]) -> Json:
    fields: dict[str, Any] = {"filters": filters} if filters else {}
    return a_route(a_rule(a_ref(OLD), **fields))


def write(document: Json, rollout: Rollout, guard: Guard = Guard.GENERATION) -> Json:
    return serve(document, patch(document, rollout, weights=True, guard=guard).operations)


@pytest.mark.parametrize("filters", FILTERS)
def test_the_first_step_adds_our_filter_and_leaves_weights_and_other_filters(filters: list[Json]) -> None:
    route = with_filters(filters)
    after = write(route, a_mirroring(route))
    assert after["spec"]["rules"][0] == {**route["spec"]["rules"][0], "filters": [*filters, OURS]}
    assert observe(after, a_mirroring(route)) == (Pair(1, None, 10),)


@pytest.mark.parametrize("filters", FILTERS)
@pytest.mark.parametrize("guard", Guard)
def test_the_first_weight_takes_it_out_in_the_same_write(filters: list[Json], guard: Guard) -> None:
    route = with_filters(filters)
    mirrored = write(route, a_mirroring(route))
    after = write(mirrored, a_mirroring(route, **FIRST_WEIGHT), guard)
    weighed = {**route["spec"]["rules"][0], "backendRefs": [a_ref(OLD, 90), a_ref(NEW, 10)]}
    assert after["spec"]["rules"] == [weighed]


@pytest.mark.parametrize("filters", FILTERS)
def test_a_roll_back_takes_it_out_and_leaves_the_route_as_it_was(filters: list[Json]) -> None:
    route = with_filters(filters)
    after = write(write(route, a_mirroring(route)), a_mirroring(route, **BACK))
    assert spec_of(after) == spec_of(route)


def test_a_roll_back_finds_its_filter_where_somebody_added_others_before_it() -> None:
    route = with_filters([SETS_HEADER])
    mirrored = write(route, a_mirroring(route))
    edited = {**mirrored["spec"]["rules"][0], "filters": [TO_ANOTHER, OURS, SETS_HEADER]}
    after = write({**mirrored, "spec": {**mirrored["spec"], "rules": [edited]}}, a_mirroring(route, **BACK))
    assert after["spec"]["rules"][0]["filters"] == [TO_ANOTHER, SETS_HEADER]


def test_a_roll_back_that_read_an_older_route_removes_nobody_elses_filter() -> None:
    route = with_filters([])
    mirrored = write(route, a_mirroring(route))
    operations = patch(mirrored, a_mirroring(route, **BACK), weights=True).operations
    rule = {**mirrored["spec"]["rules"][0], "filters": [TO_ANOTHER, OURS]}
    with pytest.raises(PatchRefusedError):
        serve({**mirrored, "spec": {**mirrored["spec"], "rules": [rule]}}, operations)


def test_a_rollout_without_a_mirror_leaves_one_to_its_canary_alone() -> None:
    route = with_filters([OURS])
    rollout = a_rollout(route)
    after = write(route, rollout)
    back = write(after, replace(rollout, phase=Phase.ROLLED_BACK, decision="d-2"))
    assert [each["spec"]["rules"][0]["filters"] for each in (after, back)] == [[OURS], [OURS]]
    assert observe(after, rollout) == (Pair(90, 10),)


def test_another_share_of_our_filter_is_seen_and_written_again() -> None:
    route = with_filters([SETS_HEADER])
    mirrored = write(route, a_mirroring(route, 50))
    assert observe(mirrored, a_mirroring(route)) == (Pair(1, None, 50),)
    assert write(mirrored, a_mirroring(route, decision="d-2"))["spec"]["rules"][0]["filters"] == [SETS_HEADER, OURS]


def test_a_mirroring_rule_whose_match_somebody_edited_is_still_found() -> None:
    route = a_route(a_rule(a_ref(OLD)), a_rule(a_ref(OLD), path="/b"))
    rollout = a_mirroring(route)
    mirrored = write(route, rollout)
    edited = {**mirrored["spec"]["rules"][0], "matches": [{"path": {"type": "Exact", "value": "/new"}}]}
    now = {**mirrored, "spec": {**mirrored["spec"], "rules": [edited, mirrored["spec"]["rules"][1]]}}
    assert locate(now, rollout) == (0,)
    back = replace(rollout, **BACK)
    assert "filters" not in write(now, back)["spec"]["rules"][0]


@pytest.mark.parametrize("back", [True, False])
def test_a_filter_that_somebody_adds_meanwhile_is_not_lost_with_ours(back: bool) -> None:
    route = with_filters([])
    mirrored = write(route, a_mirroring(route))
    rollout = a_mirroring(route, **(BACK if back else FIRST_WEIGHT))
    guard = Guard.GENERATION if back else Guard.TOUCHED
    operations = patch(mirrored, rollout, weights=True, guard=guard).operations
    rule = {**mirrored["spec"]["rules"][0], "filters": [OURS, TO_ANOTHER]}
    with pytest.raises(PatchRefusedError):
        serve({**mirrored, "spec": {**mirrored["spec"], "rules": [rule]}}, operations)


def test_a_roll_back_takes_the_mirror_out_of_rules_that_it_no_longer_knows() -> None:
    three = {"type": "RequestMirror", "requestMirror": {"backendRef": a_ref(NEW, None), "percent": 3}}
    theirs = {**a_rule(a_ref(OLD), path="/c"), "filters": [three]}
    route = a_route(a_rule(a_ref(OLD), path="/a"), a_rule(a_ref(OLD), path="/b"), theirs)
    rollout = a_mirroring(route, rules=(a_moving(route, 0), a_moving(route, 1)))
    mirrored = write(route, rollout)
    renamed = [
        {**rule, "name": f"n{at}", "matches": [{"path": {"type": "Exact", "value": f"/{at}"}}]}
        for at, rule in enumerate(mirrored["spec"]["rules"][:2])
    ]
    now = {**mirrored, "spec": {**mirrored["spec"], "rules": [*renamed, theirs]}}
    assert None in locate(now, rollout)
    after = write(now, replace(rollout, **BACK))
    assert [rule.get("filters") for rule in after["spec"]["rules"]] == [None, None, theirs["filters"]]


def test_a_roll_back_from_a_mirror_puts_back_a_stable_ref_that_somebody_replaced() -> None:
    route = with_filters([])
    mirrored = write(route, a_mirroring(route))
    rule = {**mirrored["spec"]["rules"][0], "backendRefs": [a_ref("other")]}
    after = write({**mirrored, "spec": {**mirrored["spec"], "rules": [rule]}}, a_mirroring(route, **BACK))
    assert after["spec"]["rules"][0] == {**route["spec"]["rules"][0], "backendRefs": [a_ref(OLD), a_ref("other")]}


def a_parent(*features: str) -> Parent:
    return Parent(
        ref={"name": "inference-gateway"}, facts=GatewayFacts(controller="example.com/x", features=frozenset(features))
    )


BOTH = ("HTTPRouteRequestMirror", "HTTPRouteRequestPercentageMirror")
LACKS = "The GatewayClass of Gateway `inference-gateway` does not say that it can mirror requests: its "


@pytest.mark.parametrize(
    ("route", "percent", "features", "grade", "said"),
    [
        (with_filters([]), 10, BOTH, Grade.PASS, f"The gateway can copy 10 % of the requests to `{NEW}`."),
        (with_filters([]), 100, BOTH[:1], Grade.PASS, f"The gateway can copy 100 % of the requests to `{NEW}`."),
        (
            with_filters([]),
            10,
            BOTH[:1],
            Grade.STOP,
            f"{LACKS}`status.supportedFeatures` lacks `HTTPRouteRequestPercentageMirror`.",
        ),
        (
            with_filters([]),
            10,
            (),
            Grade.STOP,
            f"{LACKS}`status.supportedFeatures` lacks `HTTPRouteRequestMirror` and `HTTPRouteRequestPercentageMirror`.",
        ),
        (with_filters([OURS]), 10, BOTH, Grade.STOP, f"`rule 1` mirrors to `{NEW}` already."),
        (
            a_route(a_rule(a_ref(OLD, 95), a_ref(NEW, 5))),
            10,
            BOTH,
            Grade.STOP,
            f"`rule 1` sends requests to `{NEW}` already.",
        ),
    ],
)
def test_a_mirror_needs_a_gateway_that_can_and_a_canary_that_gets_nothing_yet(
    route: Json, percent: int, features: tuple[str, ...], grade: Grade, said: str
) -> None:
    scene = a_scene(route, mirror=percent, parents=[a_parent(*features)])
    assert [(line.grade, line.said) for line in mirroring.lines(scene)] == [(grade, said)]


def test_a_start_without_a_mirror_needs_nothing_of_the_gateway() -> None:
    assert [*mirroring.lines(a_scene(with_filters([OURS]), parents=[a_parent()]))] == []
