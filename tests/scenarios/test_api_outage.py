"""The API server fails in every way it can: what was decided is kept, told, tried again, and written once."""

from datetime import timedelta

import pytest

from bot.domain.errors import ClusterError, RefusedError
from bot.domain.rollout import Acceptance, Phase, Trouble
from sandbox.faults import Fault
from tests.builders import CANARY, STABLE
from tests.scenarios.outage import SAID, Outage, card, not_written

AT_0 = [(STABLE, 1)]
AT_10 = [(STABLE, 90), (CANARY, 10)]
AT_25 = [(STABLE, 75), (CANARY, 25)]
KEEPS_TRYING = "I keep trying as long as the gates pass"


@pytest.mark.parametrize("fault", sorted(SAID.keys() - {Fault.RESET, Fault.UNAVAILABLE}))
def test_a_roll_back_is_kept_and_told_and_written_once_the_api_server_answers(outage: Outage, fault: Fault) -> None:
    stage = outage.stage
    rollout_id = stage.started(10).rollout.id
    with outage.of(fault, seconds=20):
        with pytest.raises(ClusterError) as failed:
            stage.say("rollback", reason="errors")
        assert not isinstance(failed.value, RefusedError)
        since = stage.clock.now()
        stage.pass_time(seconds=7)
        entry = stage.load(rollout_id)
        assert (entry.rollout.phase, entry.is_applied) == (Phase.ROLLED_BACK, False)
        assert entry.trouble == Trouble(since=since, reason=outage.said(fault), attempts=2)
        assert card(entry) == (
            "*Rolling back.* 0 % is wanted. The route had *10 %* when last seen. Reason: errors.\n"
            + not_written(since, outage.said(fault))
        )
        assert stage.world.weights() == AT_10
    stage.pass_time(seconds=7)
    assert stage.world.weights() == AT_0
    assert stage.load(rollout_id).trouble is None
    assert stage.events(rollout_id) == ["started", "rolled_back", "not_written"]


@pytest.mark.parametrize("fault", [Fault.REFUSED, Fault.UNKNOWN_TOKEN])
def test_a_step_that_cannot_be_written_within_a_minute_is_taken_back_where_the_gates_are_silent_too(
    outage: Outage, fault: Fault
) -> None:
    stage = outage.stage
    rollout_id = stage.started(10).rollout.id
    outage.after_the_next_save(fault)
    stage.pass_time(minutes=10)
    since = stage.clock.now()
    stage.pass_time(seconds=59)
    waiting = stage.load(rollout_id)
    assert (waiting.rollout.phase, waiting.rollout.weight, waiting.is_applied) == (Phase.PROGRESSING, 25, False)
    assert card(waiting) == (
        "*25 % is wanted.* The route had *10 %* when last seen.\n"
        + not_written(since, outage.said(fault), goes_on=KEEPS_TRYING)
    )
    stage.pass_time(seconds=1)
    paused = stage.load(rollout_id)
    pool = f"InferencePool `{stage.world.namespace}/{CANARY}`"
    assert (paused.rollout.phase, paused.rollout.weight, paused.is_applied) == (Phase.PAUSED, 10, False)
    assert paused.rollout.why == f"It could not be written within 60 seconds. {outage.said(fault, pool)}"
    outage.proxy.lift()
    stage.pass_time(seconds=30)
    assert (stage.note_phase(), stage.load(rollout_id).is_applied, stage.world.weights()) == (
        Phase.PAUSED,
        True,
        AT_10,
    )


def test_a_step_is_written_late_where_only_writing_fails_and_the_gates_pass_again(outage: Outage) -> None:
    stage = outage.stage
    rollout_id = stage.started(10).rollout.id
    outage.after_the_next_save(Fault.BROKEN, method="PATCH")
    for minutes in (10, 2, 2):
        stage.pass_time(minutes=minutes)
    entry = stage.load(rollout_id)
    assert (entry.rollout.phase, entry.rollout.weight, stage.world.weights()) == (Phase.PROGRESSING, 25, AT_10)
    outage.proxy.lift()
    stage.pass_time(seconds=30)
    assert stage.world.weights() == AT_25


@pytest.mark.parametrize(("verb", "weights"), [("advance", AT_25), ("rollback", AT_0)])
def test_a_patch_whose_reply_is_lost_is_found_done_and_not_written_twice(
    outage: Outage, verb: str, weights: list[tuple[str, int]]
) -> None:
    stage = outage.stage
    rollout_id = stage.started(10).rollout.id
    outage.proxy.inject(Fault.LOST, method="PATCH", times=1)
    with pytest.raises(ClusterError):
        stage.say(verb)
    entry = stage.load(rollout_id)
    assert (stage.world.weights(), entry.is_applied) == (weights, False)
    stage.wait_observed()
    written = stage.world.http_route()["metadata"]["resourceVersion"]
    stage.pass_time(seconds=7)
    stage.pass_time(seconds=1)
    entry = stage.load(rollout_id)
    assert (entry.is_applied, entry.acceptance) == (True, Acceptance.ACCEPTED)
    assert stage.world.http_route()["metadata"]["resourceVersion"] == written
    assert outage.proxy.hits == {(Fault.LOST, "PATCH httproutes"): 1}


def test_a_step_waits_as_long_as_the_api_server_asks_with_429(outage: Outage) -> None:
    stage = outage.stage
    stage.started(10)
    outage.proxy.inject(Fault.TOO_MANY, method="PATCH", seconds=20, times=1)
    with pytest.raises(ClusterError):
        stage.say("advance")
    stage.pass_time(seconds=19)
    assert stage.world.weights() == AT_10
    stage.pass_time(seconds=6)
    assert stage.world.weights() == AT_25


def test_a_roll_back_does_not_wait_longer_than_a_few_seconds_whatever_is_asked(outage: Outage) -> None:
    stage = outage.stage
    stage.started(10)
    outage.proxy.inject(Fault.TOO_MANY, method="PATCH", seconds=600, times=1)
    with pytest.raises(ClusterError):
        stage.say("rollback")
    stage.pass_time(seconds=7)
    assert stage.world.weights() == AT_0


def test_a_start_whose_first_write_fails_is_refused_after_a_minute_and_leaves_the_route_free(outage: Outage) -> None:
    stage = outage.stage
    before = stage.world.http_route()["spec"]
    outage.after_the_next_save(Fault.REFUSED)
    with pytest.raises(ClusterError):
        stage.start(10)
    (entry,) = stage.store.entries()
    stage.pass_time(seconds=60)
    refused = stage.load(entry.rollout.id)
    pool = f"InferencePool `{stage.world.namespace}/{CANARY}`"
    assert (refused.rollout.phase, refused.is_applied) == (Phase.REFUSED, False)
    assert refused.rollout.why == f"It could not be written within 60 seconds. {outage.said(Fault.REFUSED, pool)}"
    outage.proxy.lift()
    stage.pass_time(seconds=7)
    refused = stage.load(entry.rollout.id)
    assert (refused.is_applied, stage.store.slot(refused.rollout.route_uid)) == (True, None)
    assert stage.world.http_route()["spec"] == before


def test_a_look_that_fails_is_no_trouble_of_a_rollout_that_is_written(outage: Outage) -> None:
    stage = outage.stage
    rollout_id = stage.started(10).rollout.id
    with outage.of(Fault.REFUSED):
        stage.applier.attempt(rollout_id)
    assert (stage.load(rollout_id).trouble, stage.events(rollout_id)) == (None, ["started"])


def test_a_route_that_is_deleted_ends_its_rollout_at_the_first_look(outage: Outage) -> None:
    stage = outage.stage
    rollout_id = stage.started(10).rollout.id
    stage.world.delete_route()
    stage.routes.calls.clear()
    stage.applier.apply(rollout_id)
    assert stage.routes.calls.count("read") == 1
    entry = stage.load(rollout_id)
    assert (entry.rollout.phase, entry.is_applied, entry.trouble) == (Phase.ENDED, True, None)
    assert stage.events(rollout_id) == ["started", "ended"]


def test_a_route_that_is_deleted_under_a_step_ends_its_rollout_too(outage: Outage) -> None:
    stage = outage.stage
    rollout_id = stage.started(10).rollout.id
    stage.routes.before("write", stage.world.delete_route)
    stage.pass_time(minutes=10)
    entry = stage.load(rollout_id)
    assert (entry.rollout.phase, entry.is_applied, entry.trouble) == (Phase.ENDED, True, None)
    assert stage.events(rollout_id) == ["started", "stepped", "ended"]
    assert entry.rollout.why == f"HTTPRoute `{stage.world.namespace}/llm-route` is not there (404)."
    assert entry.rollout.since - entry.rollout.started_at == timedelta(minutes=10, seconds=1)
