"""Deadlines do not wait for the API server: each fires while it fails, and is written once it answers."""

from datetime import timedelta

import pytest

from bot.domain.errors import ClusterError
from bot.domain.plan import Wishes
from bot.domain.rollout import Acceptance, Phase
from sandbox.faults import Fault
from sandbox.gateway import Answer
from sandbox.robot import Robot
from tests.builders import CANARY, STABLE
from tests.scenarios.outage import Outage
from tests.stage import Stage

AT_10 = [(STABLE, 90), (CANARY, 10)]
AT_100 = [(STABLE, 0), (CANARY, 100)]


def canary(stage: Stage) -> str:
    return f"InferencePool `{stage.world.namespace}/{CANARY}`"


def is_written(outage: Outage, rollout_id: str, phase: Phase) -> bool:
    """Let the API server answer again; say whether the route then has what was decided."""
    outage.proxy.lift()
    outage.stage.pass_time(seconds=30)
    return outage.stage.load(rollout_id).is_applied and outage.stage.note_phase() is phase


def test_a_step_whose_gates_cannot_be_asked_holds_and_pauses_after_half_an_hour(outage: Outage) -> None:
    stage = outage.stage
    rollout_id = stage.started(10).rollout.id
    with outage.of(Fault.REFUSED):
        stage.pass_time(minutes=10)
        held = stage.load(rollout_id)
        assert (held.rollout.phase, held.rollout.since) == (Phase.HOLDING, stage.clock.now())
        assert held.rollout.why == outage.said(Fault.REFUSED, canary(stage))
        stage.pass_time(minutes=29)
        assert stage.load(rollout_id).rollout == held.rollout
        stage.pass_time(minutes=1)
        paused = stage.load(rollout_id).rollout
        assert (paused.phase, paused.why) == (Phase.PAUSED, f"A gate held it for 30 minutes: {held.rollout.why}")
    assert stage.world.weights() == AT_10
    assert is_written(outage, rollout_id, Phase.PAUSED)
    assert stage.events(rollout_id) == ["started", "held", "not_written", "trouble", "paused", "written"]


def test_a_hold_goes_on_by_itself_when_the_gates_can_be_asked_again(outage: Outage) -> None:
    stage = outage.stage
    rollout_id = stage.started(10).rollout.id
    with outage.of(Fault.UNKNOWN_TOKEN):
        stage.pass_time(minutes=10)
    stage.pass_time(seconds=30)
    stage.pass_time(seconds=30)
    assert (stage.load(rollout_id).rollout.phase, stage.world.weights()[1]) == (Phase.PROGRESSING, (CANARY, 25))


def test_a_hold_is_told_once_however_the_reading_of_the_gates_fails(outage: Outage) -> None:
    stage = outage.stage
    rollout_id = stage.started(10).rollout.id
    for fault in (Fault.BROKEN, Fault.RESET, Fault.UNAVAILABLE):
        with outage.of(fault, method="GET", path="/inferencepools|/pods"):
            stage.pass_time(minutes=10)
    held = stage.load(rollout_id)
    assert (held.rollout.phase, held.is_applied) == (Phase.HOLDING, True)
    with outage.of(Fault.BROKEN, method="GET", path="/inferencepools|/pods"):
        stage.pass_time(minutes=10)
    assert stage.load(rollout_id).rollout.phase is Phase.PAUSED
    assert stage.events(rollout_id) == ["started", "held", "held_on", "paused"]


@pytest.mark.parametrize("seconds", [0, 1])
def test_an_approval_expires_after_a_day_whether_or_not_the_ask_is_written(outage: Outage, seconds: int) -> None:
    stage = outage.stage
    rollout_id = stage.started(10, wishes=Wishes(approve_at=(25,))).rollout.id
    outage.after_the_next_save(Fault.BROKEN, method="PATCH")
    stage.pass_time(minutes=10)
    if seconds:
        outage.proxy.lift()
        stage.pass_time(seconds=seconds)
    asked = stage.load(rollout_id)
    assert (asked.rollout.phase, asked.is_applied) == (Phase.AWAITING_APPROVAL, bool(seconds))
    with outage.of(Fault.REFUSED):
        stage.clock.set(asked.rollout.since)
        stage.pass_time(hours=23, minutes=59)
        assert stage.load(rollout_id).rollout.phase is Phase.AWAITING_APPROVAL
        stage.pass_time(minutes=1)
        paused = stage.load(rollout_id).rollout
        assert (paused.phase, paused.why) == (Phase.PAUSED, "Nobody approved it within 24 hours.")
    assert is_written(outage, rollout_id, Phase.PAUSED)


def test_a_pause_that_is_not_written_is_reminded_of(outage: Outage) -> None:
    stage = outage.stage
    rollout_id = stage.started(10).rollout.id
    with outage.of(Fault.REFUSED):
        with pytest.raises(ClusterError):
            stage.say("pause")
        for _ in range(3):
            stage.pass_time(hours=4)
        entry = stage.load(rollout_id)
        assert (entry.rollout.phase, entry.is_applied) == (Phase.PAUSED, False)
        assert entry.due == entry.rollout.since + timedelta(hours=16)
    assert stage.events(rollout_id) == [
        "started",
        "paused",
        "not_written",
        "reminder",
        "trouble",
        "reminder",
        "reminder",
    ]
    assert is_written(outage, rollout_id, Phase.PAUSED)


def test_a_pause_before_the_gateway_answered_is_no_reason_for_a_reminder(outage: Outage, robot: Robot) -> None:
    robot.answer = Answer(silent=True)
    stage = outage.stage
    rollout_id = stage.start(10).rollout.id
    with outage.of(Fault.REFUSED):
        with pytest.raises(ClusterError):
            stage.say("pause")
        stage.pass_time(seconds=1)
        stage.pass_time(minutes=5)
    assert stage.events(rollout_id) == ["started", "paused", "not_written", "trouble"]


def test_the_gateways_silence_ends_after_a_minute_and_a_no_that_came_meanwhile_stops_the_next_step(
    outage: Outage, robot: Robot
) -> None:
    robot.answer = Answer(silent=True)
    stage = outage.stage
    rollout_id = stage.start(10).rollout.id
    robot.answer = Answer(refuses="no weights between pools here")
    stage.wait_observed()
    with outage.of(Fault.REFUSED):
        stage.pass_time(seconds=59)
        assert stage.load(rollout_id).rollout.phase is Phase.STARTING
        stage.pass_time(seconds=30)
        entry = stage.load(rollout_id)
        assert (entry.rollout.phase, entry.acceptance) == (Phase.PROGRESSING, Acceptance.UNKNOWN)
    stage.pass_time(seconds=30)
    stage.pass_time(minutes=10)
    paused = stage.load(rollout_id).rollout
    assert (paused.phase, paused.why) == (
        Phase.PAUSED,
        f"The gateway refused the route: Gateway `{stage.world.namespace}/inference-gateway`: "
        "Accepted is False (UnsupportedValue): no weights between pools here",
    )
    assert stage.world.weights() == AT_10


def test_a_bake_whose_end_cannot_be_looked_at_pauses_and_keeps_the_old_pool(outage: Outage) -> None:
    stage = outage.stage
    rollout_id = stage.started(100).rollout.id
    with outage.of(Fault.UNAVAILABLE):
        stage.pass_time(minutes=59)
        assert stage.load(rollout_id).rollout.phase is Phase.PROMOTED
        stage.pass_time(minutes=1)
        paused = stage.load(rollout_id).rollout
        why = f"The old pool stays on the route: {outage.said(Fault.UNAVAILABLE, canary(stage))}"
        assert (paused.phase, paused.why) == (Phase.PAUSED, why)
    assert is_written(outage, rollout_id, Phase.PAUSED)
    assert stage.world.weights() == AT_100
