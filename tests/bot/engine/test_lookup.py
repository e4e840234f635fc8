"""Which rollout a roll back without a name means when it comes a second time, by the store and by the routes."""

from dataclasses import dataclass, replace

import pytest

from bot.domain.commands.request import Verb
from bot.domain.errors import UsageError
from bot.domain.rollout import Phase, Pool, Rollout
from bot.engine.lookup import rolled_back_before
from sandbox.objects import pool_ref
from tests.builders import CANARY, a_rollout, at
from tests.stage import Stage


@dataclass
class Two:
    """A rollout that moves and, on another route of the channel, one that is finished."""

    stage: Stage
    moving: str
    finished: str

    def phase_of(self, rollout_id: str) -> Phase:
        return self.stage.load(rollout_id).rollout.phase


def promote_another(stage: Stage) -> None:
    """Add a route, and move it onto its new pool `other-new`."""
    stage.world.add_pool("other")
    stage.world.add_pool("other-new")
    stage.world.add_route("second", [pool_ref("other")], path="/other")
    stage.start(100, subject="other-new", route="second")
    stage.world.wait_observed("second")
    stage.pass_time(seconds=1)


@pytest.fixture
def two(stage: Stage) -> Two:
    promote_another(stage)
    finished = stage.say(Verb.FINISH, subject="other-new").rollout.id
    return Two(stage, stage.start(10, route="llm-route").rollout.id, finished)


def test_a_roll_back_without_a_name_that_the_brake_has_done_is_not_done_to_another_rollout(two: Two) -> None:
    request = two.stage.request(Verb.ROLLBACK, subject="")
    two.stage.engine.receive(request)
    two.stage.clock.forward(seconds=1)
    assert two.stage.engine.brake(request).rollout.id == two.moving
    assert two.stage.engine.brake(request).written is False
    two.stage.audit.inspect()
    assert two.stage.engine.process(request) is None
    assert two.stage.engine.became(request) == two.stage.load(two.moving)
    assert two.phase_of(two.finished) is Phase.FINISHED


A_MOMENT_AGO = f"`{CANARY}` was rolled back a moment ago. Name the finished one if you mean it: `other-new`."


def test_a_second_roll_back_without_a_name_means_no_finished_rollout_for_ten_minutes(two: Two) -> None:
    two.stage.say(Verb.ROLLBACK)
    two.stage.clock.forward(minutes=9)
    for roll_back in (two.stage.engine.brake, two.stage.ask):
        for subject in ("", "errors"):
            with pytest.raises(UsageError) as refused:
                roll_back(two.stage.request(Verb.ROLLBACK, subject=subject))
            assert str(refused.value) == A_MOMENT_AGO
    two.stage.clock.forward(minutes=1)
    assert two.stage.say(Verb.ROLLBACK, subject="").rollout.id == two.finished


def test_a_roll_back_without_a_name_means_the_rollout_that_was_finished_after_the_last_roll_back(stage: Stage) -> None:
    promote_another(stage)
    stage.start(10, route="llm-route")
    stage.say(Verb.ROLLBACK)
    stage.clock.forward(seconds=1)
    finished = stage.say(Verb.FINISH, subject="other-new").rollout.id
    stage.clock.forward(minutes=2)
    bare = stage.request(Verb.ROLLBACK, subject="")
    assert stage.engine.meant_by(bare.command, bare.channel).rollout.id == finished
    assert stage.engine.brake(bare).rollout.id == finished


BACK = a_rollout(id="r-0000000a", phase=Phase.ROLLED_BACK, since=at(5).now)


def finished(minutes: float, pool: str = CANARY, rollout_id: str = "r-0000000f") -> Rollout:
    return a_rollout(id=rollout_id, canary=Pool("default", pool), phase=Phase.FINISHED, since=at(minutes).now)


@pytest.mark.parametrize("before", [[], [finished(1, "other-new")]])
def test_nothing_is_asked_of_the_last_roll_back_where_something_was_finished_after_it(before: list[Rollout]) -> None:
    after = finished(6, rollout_id="r-0000000b")
    assert rolled_back_before([after, BACK, *before], at(7).now) is None


def test_rollouts_of_pools_with_the_same_name_are_told_apart_by_their_ids() -> None:
    with pytest.raises(UsageError) as refused:
        rolled_back_before([BACK, finished(4), finished(3, "other-new", "r-0000000b")], at(7).now)
    assert str(refused.value) == (
        f"`{CANARY}` (`r-0000000a`) was rolled back a moment ago. "
        f"Name the finished one if you mean it: `r-0000000f` ({CANARY}), `other-new`."
    )


def test_a_roll_back_without_a_name_is_not_done_to_what_is_left_when_one_of_several_was_named(two: Two) -> None:
    two.stage.say(Verb.ROLLBACK, subject="other-new")
    two.stage.start(10, subject="other-new", route="second")
    bare = two.stage.request(Verb.ROLLBACK, subject="")
    two.stage.clock.forward(seconds=1)
    two.stage.say(Verb.ROLLBACK)
    for roll_back in (two.stage.engine.brake, two.stage.ask):
        with pytest.raises(UsageError) as refused:
            roll_back(bare)
        assert str(refused.value) == (
            f"`{CANARY}` was rolled back since you asked. Name the other one if you mean it: `other-new`."
        )


def test_a_terminal_that_means_any_channel_names_a_finished_rollout_to_roll_it_back(two: Two) -> None:
    two.stage.say(Verb.ROLLBACK)
    with pytest.raises(UsageError) as refused:
        two.stage.ask(replace(two.stage.request(Verb.ROLLBACK, subject=""), channel=""))
    assert str(refused.value) == "No rollout is moving. Name the finished one if you mean it: `other-new`."
