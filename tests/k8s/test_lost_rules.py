"""Which rules of a route a roll back takes for its own, where its own are gone."""

from collections.abc import Sequence

import pytest

from bot.domain.rollout import TAKEN_BACK, Phase, Rollout
from k8s.lost_rules import rewritten, shows, to_stable
from tests.k8s.build import NEW, OLD, Json, a_moving, a_ref, a_rollout, a_route, a_rule, a_service

BEFORE = a_route(a_rule(a_ref(OLD, 5), path="/a"), a_rule(a_ref(OLD, 5), path="/b"))
MOVING = (a_moving(BEFORE, 0), a_moving(BEFORE, 1))


def rolled_back(**changes: object) -> Rollout:
    """Return a roll back at 25 %, whose step from 10 % was written."""
    return a_rollout(BEFORE, *MOVING, **{"phase": Phase.ROLLED_BACK, "step": 1, "base": 0, **changes})


def a_pair(stable: int, canary: int, path: str) -> Json:
    return a_rule(a_ref(OLD, stable), a_ref(NEW, canary), path=path)


def indices(document: Json, rollout: Rollout) -> list[tuple[int, int]]:
    return [(rule.index, rule.stable_before) for rule in rewritten(document, rollout)]


@pytest.mark.parametrize(
    ("rules", "taken"),
    [
        ([a_pair(75, 25, "/c"), a_pair(90, 10, "/d")], [(0, 100), (1, 100)]),
        ([a_pair(75, 25, "/c"), a_pair(70, 30, "/d")], [(0, 100)]),
        ([a_pair(100, 0, "/c"), a_pair(70, 30, "/d")], []),
        ([a_pair(5, 0, "/a"), a_pair(5, 0, "/b"), a_pair(75, 25, "/c")], []),
        ([a_rule(a_ref(OLD, 75), a_ref(NEW, 20), a_ref(NEW, 5)), a_rule(a_ref(NEW, 25), path="/d")], []),
    ],
    ids=["what was written", "one of them", "other weights", "none is missing", "a pool twice, or alone"],
)
def test_a_roll_back_takes_rules_with_exactly_what_was_written(
    rules: Sequence[Json], taken: list[tuple[int, int]]
) -> None:
    assert indices(a_route(*rules), rolled_back()) == taken


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase is not Phase.ROLLED_BACK])
def test_nothing_but_a_roll_back_takes_other_rules(phase: Phase) -> None:
    document = a_route(a_pair(75, 25, "/c"), a_pair(90, 10, "/d"))
    assert rewritten(document, rolled_back(phase=phase)) == ()
    assert Phase.REFUSED in TAKEN_BACK


def test_for_a_record_that_nobody_signed_all_rules_with_both_pools_stand_in_for_those_that_are_missing() -> None:
    document = a_route(a_pair(90, 10, "/a"), a_pair(30, 70, "/c"), a_pair(1, 1, "/d"), a_rule(a_ref(OLD), path="/e"))
    found = to_stable(document, a_rollout(BEFORE, *MOVING))
    assert [(rule.key, rule.index, rule.stable_before) for rule in found] == [
        (MOVING[0].key, 0, 100),
        (a_moving(document, 1).key, 1, 100),
        (a_moving(document, 2).key, 2, 2),
    ]


def test_no_rule_stands_in_where_none_is_missing() -> None:
    document = a_route(a_pair(90, 10, "/a"), a_pair(90, 10, "/b"), a_pair(30, 70, "/c"))
    assert [rule.index for rule in to_stable(document, a_rollout(BEFORE, *MOVING))] == [0, 1]


@pytest.mark.parametrize(
    ("refs", "is_shown"),
    [
        ([a_ref(OLD, 90), a_ref(NEW, 10)], True),
        ([a_ref(NEW, 100)], True),
        ([a_ref(OLD, 5)], True),
        ([a_ref(OLD, 5), a_service("docs", 0)], True),
        ([a_ref(OLD, 90), a_service("docs", 10)], False),
        ([a_ref("other", 90), a_ref("another", 10)], False),
        ([], False),
    ],
)
def test_a_route_looks_like_a_rollouts_if_the_canary_is_there_or_the_old_pool_has_it_all(
    refs: list[Json], is_shown: bool
) -> None:
    assert shows(a_route(*(a_rule(*refs, path=path) for path in ("/a", "/b"))), rolled_back()) is is_shown
