"""What people type in a direct message, where no channel says which rollout is meant."""

from collections.abc import Iterator

import pytest

from bot.domain.rollout import Phase
from sandbox.objects import pool_ref
from sandbox.strict_slack import strict_slack
from tests.builders import CANARY, STABLE
from tests.scenarios.front import ROOM, Front
from tests.stage import Stage

DIRECT = "D0ALICE001"


@pytest.fixture
def front(stage: Stage) -> Iterator[Front]:
    with strict_slack() as slack:
        front = Front(stage, slack)
        yield front
        front.handlers.close()


def start_another(stage: Stage) -> str:
    """Start a rollout on another route, and return its id."""
    stage.world.add_pool("other")
    stage.world.add_pool("other-new")
    stage.world.add_route("second", [pool_ref("other")], path="/other")
    return stage.start(10, subject="other-new", route="second").rollout.id


@pytest.mark.parametrize("text", ["rollback", "rollback p99 doubled"])
def test_a_roll_back_without_a_name_means_the_only_rollout(front: Front, text: str) -> None:
    rollout_id = front.stage.started(10).rollout.id
    (said,) = front.types(text, channel=DIRECT)
    assert (
        said == f"Done: `{CANARY}` is rolled back and all traffic goes to `{STABLE}` again. Its card is in <#{ROOM}>."
    )
    assert front.stage.load(rollout_id).rollout.phase is Phase.ROLLED_BACK


def test_where_there_are_several_rollouts_they_are_named(front: Front) -> None:
    first = front.stage.started(10, route="llm-route").rollout.id
    second = start_another(front.stage)
    here = front.stage.world.namespace
    listed = f"other-new (10 % on {here}/second, {second}), {CANARY} (10 % on {here}/llm-route, {first})"
    assert front.types("rollback", channel=DIRECT) == [f"There are several rollouts. Name one: {listed}."]
    assert {entry.rollout.phase for entry in front.stage.store.entries()} == {Phase.PROGRESSING, Phase.STARTING}


def test_questions_tell_of_all_channels(front: Front) -> None:
    assert front.acknowledged("status", channel=DIRECT) == "No rollout is under way."
    front.stage.started(10)
    assert front.acknowledged("status", channel=DIRECT).startswith(f"*{CANARY}*: 10 %")
    assert front.acknowledged("why", channel=DIRECT).startswith(f"`{CANARY}`: ")


def test_a_start_is_refused_at_once(front: Front) -> None:
    said = "You can't `start` in a direct message: its card needs a channel. Type it where the team sees it."
    assert front.acknowledged(f"start {CANARY} 10", channel=DIRECT) == said
    assert (front.stage.store.entries(), front.slack.count("conversations.info")) == ([], 0)
