"""A slash command that Slack delivers once more, many hours later."""

from collections.abc import Iterator

import pytest

from bot.domain.rollout import Phase
from sandbox.strict_slack import strict_slack
from tests.builders import CANARY, STABLE
from tests.memory import PREFIX
from tests.scenarios.front import Front
from tests.stage import Stage


@pytest.fixture
def front(stage: Stage) -> Iterator[Front]:
    with strict_slack() as slack:
        front = Front(stage, slack)
        yield front
        front.handlers.close()


def most_of_a_day(front: Front) -> None:
    """Let the work end, and Redis forget what it keeps for less than a day. What comes later stays in the inbox."""
    front.handlers.work.close()
    front.stage.clock.forward(hours=23)
    for key in front.stage.redis.scan_iter(f"{PREFIX}*"):
        if 0 <= front.stage.redis.ttl(key) < 23 * 3600:
            front.stage.redis.delete(key)


@pytest.mark.parametrize(
    ("text", "phase", "weights"),
    [
        ("advance", Phase.PROGRESSING, [(STABLE, 75), (CANARY, 25)]),
        (f"rollback {CANARY} p99", Phase.ROLLED_BACK, [(STABLE, 1)]),
    ],
)
def test_a_command_that_comes_again_a_day_later_does_nothing_twice(
    front: Front, text: str, phase: Phase, weights: list[tuple[str, int]]
) -> None:
    stage = front.stage
    rollout_id = stage.started(10).rollout.id
    once: list[object] = []

    def meanwhile() -> None:
        most_of_a_day(front)
        stage.wait_observed()
        once.extend((stage.load(rollout_id), stage.events(rollout_id)))

    first, again = front.acknowledged_twice(text, meanwhile)
    front.handlers.close()
    assert first == again
    assert [stage.load(rollout_id), stage.events(rollout_id)] == once
    assert stage.load(rollout_id).rollout.phase is phase
    assert stage.world.weights() == weights
    assert stage.store.requests(stage.clock.now()) == []


def test_a_start_that_comes_again_after_its_roll_back_starts_nothing(front: Front) -> None:
    stage = front.stage

    def meanwhile() -> None:
        most_of_a_day(front)
        stage.wait_observed()
        stage.say("rollback")

    front.acknowledged_twice(f"start {CANARY} 10 approve=none", meanwhile)
    front.handlers.close()
    (entry,) = stage.store.in_channel("C0INFER001")
    assert (entry.rollout.phase, entry.rollout.stable.name) == (Phase.ROLLED_BACK, STABLE)
    assert stage.store.requests(stage.clock.now()) == []
