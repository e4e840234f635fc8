"""Which rollout a roll back without a name means when it comes a second time, by the store and by the routes."""

from dataclasses import dataclass, replace

import pytest

from bot.domain.choices import Choices
from bot.domain.commands.grammar import parse
from bot.domain.commands.origin import Origin, Surface
from bot.domain.errors import RouteError, UsageError
from bot.domain.rollout import Entry, Phase, Pool
from bot.engine.lookup import rolled_back_before
from bot.engine.rollback_from_route import RouteRollback
from sandbox.objects import pool_ref
from tests.builders import CANARY, a_rollout, an_entry, at
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
    finished = stage.say("finish", subject="other-new").rollout.id
    return Two(stage, stage.start(10, route="llm-route").rollout.id, finished)


def test_a_roll_back_without_a_name_that_the_brake_has_done_is_not_done_to_another_rollout(two: Two) -> None:
    request = two.stage.request("rollback", subject="")
    two.stage.engine.receive(request)
    two.stage.clock.forward(seconds=1)
    assert two.stage.engine.brake(request).rollout.id == two.moving
    assert two.stage.engine.brake(request).written is False
    two.stage.audit.inspect()
    assert two.stage.engine.process(request) is None
    assert two.stage.engine.became(request) == two.stage.load(two.moving)
    assert two.phase_of(two.finished) is Phase.FINISHED


def named(two: Two, *, weight: int = 100, rollout_id: str = "") -> str:
    """Return how a sentence lists the other rollout."""
    return f"`other-new` ({weight} % on `{two.stage.world.namespace}/second`, {rollout_id or two.finished})"


def test_a_second_roll_back_without_a_name_means_no_finished_rollout_for_ten_minutes(two: Two) -> None:
    two.stage.say("rollback")
    two.stage.clock.forward(minutes=9)
    for roll_back in (two.stage.engine.brake, two.stage.ask):
        for subject in ("", "errors"):
            with pytest.raises(UsageError) as refused:
                roll_back(two.stage.request("rollback", subject=subject))
            assert str(refused.value) == (
                f"`{CANARY}` was rolled back a moment ago. Name the finished one if you mean it: {named(two)}."
            )
    two.stage.clock.forward(minutes=1)
    assert two.stage.say("rollback", subject="").rollout.id == two.finished


def test_a_roll_back_without_a_name_means_the_rollout_that_was_finished_after_the_last_roll_back(stage: Stage) -> None:
    promote_another(stage)
    stage.start(10, route="llm-route")
    stage.say("rollback")
    stage.clock.forward(seconds=1)
    finished = stage.say("finish", subject="other-new").rollout.id
    stage.clock.forward(minutes=2)
    bare = stage.request("rollback", subject="")
    assert stage.engine.meant_by(bare.command, bare.origin.channel).rollout.id == finished
    assert stage.engine.brake(bare).rollout.id == finished


BACK = an_entry(a_rollout(id="r-0000000a", phase=Phase.ROLLED_BACK, since=at(5).now))


def finished(minutes: float, pool: str = CANARY, rollout_id: str = "r-0000000f", route: str = "llm-route") -> Entry:
    canary, since = Pool("default", pool), at(minutes).now
    return an_entry(
        a_rollout(id=rollout_id, canary=canary, phase=Phase.FINISHED, since=since, route=route, step=3, base=3)
    )


@pytest.mark.parametrize("before", [[], [finished(1, "other-new")]])
def test_nothing_is_asked_of_the_last_roll_back_where_something_was_finished_after_it(before: list[Entry]) -> None:
    after = finished(6, rollout_id="r-0000000b")
    assert rolled_back_before([after, BACK, *before], at(7).now) is None


def test_rollouts_of_pools_with_the_same_name_are_told_apart_by_their_routes_or_ids() -> None:
    others = [finished(4), finished(3, rollout_id="r-0000000c", route="second"), finished(3, "other-new", "r-0000000b")]
    with pytest.raises(UsageError) as refused:
        rolled_back_before([BACK, *others], at(7).now)
    assert str(refused.value) == (
        "`r-0000000a` was rolled back a moment ago. Name the finished one if you mean it: "
        "`r-0000000f` (100 % on `default/llm-route`, r-0000000f), "
        f"`{CANARY} route=second` (100 % on `default/second`, r-0000000c), "
        "`other-new` (100 % on `default/llm-route`, r-0000000b)."
    )
    assert refused.value.choices == Choices("rollback", tuple(others), beside=(BACK,))


def test_a_roll_back_without_a_name_is_not_done_to_what_is_left_when_one_of_several_was_named(two: Two) -> None:
    two.stage.say("rollback", subject="other-new")
    other = two.stage.start(10, subject="other-new", route="second").rollout.id
    bare = two.stage.request("rollback", subject="")
    two.stage.clock.forward(seconds=1)
    two.stage.say("rollback")
    for roll_back in (two.stage.engine.brake, two.stage.ask):
        with pytest.raises(UsageError) as refused:
            roll_back(bare)
        meant = named(two, weight=10, rollout_id=other)
        assert str(refused.value) == (
            f"`{CANARY}` was rolled back since you asked. Name the other one if you mean it: {meant}."
        )


def test_a_terminal_that_means_any_channel_names_a_finished_rollout_to_roll_it_back(two: Two) -> None:
    two.stage.say("rollback")
    with pytest.raises(UsageError) as refused:
        two.stage.ask(replace(two.stage.request("rollback", subject=""), origin=Origin(surface=Surface.TERMINAL)))
    assert str(refused.value) == f"No rollout is moving. Name the finished one if you mean it: {named(two)}."


SPELLED = {
    f"rollback {CANARY} p99": "p99",
    f"rollback {CANARY.capitalize()}: p99": "p99",
    f"rollback default/{CANARY} p99": "p99",
    f"rollback pool={CANARY.upper()} p99": "p99",
    f"rollback “{CANARY}”, p99": "p99",
    f"rollback {CANARY.replace('new', 'nwe')} p99": "p99",
    f"rollback OOM-kills on {CANARY} everywhere": f"OOM-kills on {CANARY} everywhere",
    f"rollback p99 ({CANARY})": f"p99 ({CANARY})",
}


@pytest.fixture
def of_two(stage: Stage) -> str:
    """Return the first of two rollouts that move in one channel."""
    promote_another(stage)
    return stage.start(10, route="llm-route").rollout.id


@pytest.mark.parametrize(("text", "reason"), SPELLED.items(), ids=SPELLED)
def test_a_brake_reaches_its_pool_however_that_is_spelled(stage: Stage, of_two: str, text: str, reason: str) -> None:
    typed, place = parse(text), (stage.world.namespace, "llm-route", reason)
    entry, meant = stage.lookup.meant_by(typed, "C0INFER001", stage.clock.now())
    assert (entry.rollout.id, meant.reason) == (of_two, reason)
    found = RouteRollback(stage.cluster, stage.clock).find(typed, "C0INFER001", stage.clock.now())
    assert (found.namespace, found.route, found.reason) == place


def test_an_id_reaches_its_rollout_from_any_channel_however_it_is_spelled(stage: Stage, of_two: str) -> None:
    typed = parse(f"rollback {of_two.upper()}: p99")
    entry, meant = stage.lookup.meant_by(typed, "C0ELSEW001", stage.clock.now())
    assert (entry.rollout.id, meant) == (of_two, replace(typed, subject=of_two, reason="p99"))


@pytest.mark.parametrize("text", ["rollback OOM-kills everywhere", "rollback r-0000000g looks odd", "pause Errors-up"])
def test_a_word_that_only_looks_like_a_pool_is_the_first_of_the_reason(stage: Stage, text: str) -> None:
    rollout_id = stage.started(10).rollout.id
    entry, meant = stage.lookup.meant_by(parse(text), "C0INFER001", stage.clock.now())
    assert (entry.rollout.id, meant.subject, meant.reason) == (rollout_id, "", text.partition(" ")[2])


def test_a_slip_that_may_mean_another_channels_pool_brakes_nothing(stage: Stage) -> None:
    stage.started(10)
    slip = CANARY.replace("new", "nwe")
    with pytest.raises(RouteError) as refused:
        stage.lookup.meant_by(parse(f"rollback {slip}"), "C0ELSEW001", stage.clock.now())
    assert str(refused.value) == f"There is no rollout of `{slip}`. Did you mean `{CANARY}`?"


@pytest.mark.parametrize("verb", ["rollback", "pause", "why"])
def test_in_a_channel_without_a_rollout_those_of_other_channels_are_offered(two: Two, verb: str) -> None:
    command = two.stage.request(verb, subject="").command
    with pytest.raises(RouteError) as refused:
        two.stage.lookup.meant_by(command, "C0GENERAL", two.stage.clock.now())
    entries = two.stage.store.entries()
    assert (refused.value.message, refused.value.choices) == (
        "This channel has no rollout.",
        Choices(verb, tuple(entries), beside=tuple(entries)),
    )


def test_where_nothing_runs_a_verb_without_a_name_says_so(stage: Stage) -> None:
    with pytest.raises(RouteError) as refused:
        stage.lookup.meant_by(stage.request("rollback", subject="").command, "C0GENERAL", stage.clock.now())
    assert str(refused.value) == "This channel has no rollout. None is running: begin one with `start POOL WEIGHT`."
