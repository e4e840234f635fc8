"""A roll back of a rollout whose rules somebody renamed, removed or copied."""

from typing import Any

import pytest

from bot.domain.events import EventKind
from sandbox.objects import pool_ref, rule
from sandbox.world import CANARY, STABLE
from tests.stage import Stage

PAIR = [pool_ref(STABLE, 90), pool_ref(CANARY, 10)]


def weights(stage: Stage) -> list[list[int]]:
    return [[ref["weight"] for ref in each["backendRefs"]] for each in stage.world.http_route()["spec"]["rules"]]


def troubles(stage: Stage, rollout_id: str) -> list[str]:
    events = stage.store.events(rollout_id, 0)
    return [event.reason for event in events if event.kind is EventKind.TROUBLE]


def test_a_roll_back_takes_the_traffic_from_rules_that_somebody_renamed_and_says_so(stage: Stage) -> None:
    stage.world.set_rules([rule([pool_ref(STABLE)], path) for path in ("/a", "/b")])
    first = stage.started(10).rollout
    stage.world.set_rules([rule(PAIR, path) for path in ("/a/v2", "/b/v2")])
    stage.say("rollback")
    assert weights(stage) == [[100, 0], [100, 0]]
    assert troubles(stage, first.id) == [
        "I could not find rule 1, rule 2 on the route. Its weights are in rule 1, rule 2 now, so I put those back."
    ]


OTHERS = {
    "with other weights": [pool_ref(STABLE, 30), pool_ref(CANARY, 70)],
    "that holds the old pool twice": [pool_ref(STABLE, 45), pool_ref(CANARY, 10), pool_ref(STABLE, 45)],
    "without the new pool": [pool_ref(STABLE, 90), pool_ref("other", 10)],
}


@pytest.mark.parametrize("refs", OTHERS.values(), ids=OTHERS)
def test_a_roll_back_touches_no_other_rule(stage: Stage, refs: list[dict[str, Any]]) -> None:
    stage.world.set_rules([rule([pool_ref(STABLE)], path) for path in ("/a", "/b")])
    first = stage.started(10).rollout
    stage.world.set_rules([rule(refs, path) for path in ("/c", "/d")])
    stage.say("rollback")
    assert weights(stage) == [[ref["weight"] for ref in refs]] * 2
    assert troubles(stage, first.id) == ["I could not find rule 1, rule 2 on the route, so nothing was written there."]
