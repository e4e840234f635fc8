"""What a crash, a wrong clock, a lost reply or a stranger's annotation must not bring about: each was seen once."""

from dataclasses import replace
from datetime import timedelta
from typing import Any, NoReturn

import pytest

from bot.domain.errors import (
    ClusterError,
    DependencyError,
    SlotTakenError,
    StoreError,
    UsageError,
    UserError,
)
from bot.domain.plan import Wishes
from bot.domain.rollout import Acceptance, Phase
from k8s.document import ANNOTATION
from sandbox.gateway import Answer
from sandbox.objects import pool_ref
from sandbox.robot import Robot
from tests.builders import ALICE, BOB, CANARY, CAROL, STABLE
from tests.failures import no_answer, raced, refused
from tests.memory import PREFIX, due_times
from tests.stage import Stage

AT_10 = [(STABLE, 90), (CANARY, 10)]


# --- waiting


def test_a_rollout_paused_and_resumed_before_the_gateway_answered_is_listened_to(stage: Stage, robot: Robot) -> None:
    robot.answer = Answer(silent=True)
    rollout_id = stage.start(10).rollout.id
    stage.say("pause")
    stage.say("resume")
    robot.answer = Answer()
    stage.world.set_annotations({"touched": "yes"})
    stage.wait_observed()
    stage.pass_time(seconds=1)
    entry = stage.load(rollout_id)
    assert (entry.acceptance, entry.due) == (Acceptance.ACCEPTED, stage.clock.now() + timedelta(minutes=10))


def test_an_approval_right_after_the_ask_takes_the_step(stage: Stage) -> None:
    rollout_id = stage.started(10, wishes=Wishes(approve_at=(25,))).rollout.id
    stage.routes.before("write", no_answer)
    stage.pass_time(minutes=10)
    entry = stage.load(rollout_id)
    assert (entry.rollout.phase, entry.is_applied) == (Phase.AWAITING_APPROVAL, False)
    stage.say("approve", by=BOB)
    assert stage.world.weights() == [(STABLE, 75), (CANARY, 25)]


def test_two_approvals_are_two_people(stage: Stage) -> None:
    stage.policy = replace(stage.policy, plan=replace(stage.policy.plan, approvals=2))
    stage.__post_init__()
    stage.started(10, wishes=Wishes(approve_at=(25,)))
    stage.step()
    assert stage.say("approve", by=BOB).rollout.ask is not None
    assert stage.world.weights() == AT_10
    stage.say("approve", by=CAROL)
    assert stage.world.weights() == [(STABLE, 75), (CANARY, 25)]


def test_a_due_time_claimed_while_the_write_was_missing_counts_again_once_it_is_there(stage: Stage) -> None:
    rollout_id = stage.started(10).rollout.id
    stage.routes.before("write", no_answer)
    with pytest.raises(ClusterError):
        stage.say("pause")
    own = stage.load(rollout_id).due
    stage.pass_time(seconds=2)
    assert due_times(stage.redis)[rollout_id] == own


def test_a_route_deleted_under_a_pause_is_noticed(stage: Stage) -> None:
    rollout_id = stage.started(10).rollout.id
    stage.say("pause")
    stage.world.delete_route()
    stage.audit.inspect()
    assert stage.load(rollout_id).rollout.phase is Phase.ENDED


def test_a_refusal_that_redis_does_not_confirm_is_said_all_the_same(stage: Stage) -> None:
    stage.started(10)

    def full() -> NoReturn:
        raise StoreError("Redis refused (`OOM`).", hint="It is full.")

    stage.memory.after("drop", full)
    with pytest.raises(UserError, match=r"can't approve now.*`OOM`\). It is full\. So I may still try it once more\.$"):
        stage.say("approve")


def test_a_start_that_an_older_redis_brings_back_is_neither_made_again_nor_refused(stage: Stage) -> None:
    words = stage.words(10)
    request = stage.request("start", by=ALICE, start=words)
    stage.ask(request)
    stage.redis.delete(f"{PREFIX}seen:{request.delivery}")
    assert stage.ask(request) is None
    stage.say("rollback")
    stage.redis.delete(f"{PREFIX}seen:{request.delivery}")
    assert stage.ask(request) is None
    assert list(stage.store.requests(stage.clock.now() + timedelta(seconds=1))) == []


def test_a_restored_rollout_is_not_written_over_and_over(stage: Stage) -> None:
    rollout_id = stage.started(10).rollout.id
    stage.redis.delete(f"{PREFIX}r:{rollout_id}")
    stage.audit.inspect()
    for _ in range(2):
        stage.pass_time(seconds=2)
    assert list(stage.store.unapplied(stage.clock.now() + timedelta(hours=1), brakes=False)) == []


# --- wrong clocks


def test_a_retry_set_by_a_replica_whose_clock_runs_ahead_does_not_hold_up_the_brake(stage: Stage) -> None:
    stage.started(10)
    stage.clock.forward(minutes=5)
    stage.routes.before("write", no_answer)
    with pytest.raises(ClusterError):
        stage.say("rollback")
    stage.clock.forward(minutes=-5)
    stage.ticker.catch_up(brakes=True)
    assert stage.world.weights() == [(STABLE, 1)]


def test_an_old_start_is_not_carried_out(stage: Stage) -> None:
    request = stage.request("start", start=stage.words(10))
    stage.engine.receive(request)
    stage.clock.forward(hours=3)
    with pytest.raises(UsageError, match="Nothing was done"):
        stage.engine.process(request)
    assert stage.world.weights() == [(STABLE, 1)]


def test_an_old_roll_back_is_carried_out(stage: Stage) -> None:
    stage.started(10)
    request = stage.request("rollback")
    stage.engine.receive(request)
    stage.clock.forward(hours=3)
    stage.engine.process(request)
    assert stage.world.weights() == [(STABLE, 1)]


# --- strangers


@pytest.mark.parametrize("text", ["[" * 100_000, "{}", '{"v":1,"rollout":7}'], ids=["deep", "empty", "wrong"])
def test_an_annotation_of_somebody_else_blinds_nobody(stage: Stage, text: str) -> None:
    stage.world.add_route("aaa", [pool_ref(CANARY, 1)], path="/aaa")
    stage.world.kube.merge(stage.world.route_path("aaa"), {"metadata": {"annotations": {ANNOTATION: text}}})
    rollout_id = stage.start(10, route="llm-route").rollout.id
    stage.lose_redis()
    assert stage.load(rollout_id).rollout.weight == 10


def test_a_record_with_a_step_that_is_not_in_its_plan_is_no_record(stage: Stage) -> None:
    stage.started(10)
    text = stage.copy().annotation
    assert text is not None
    stage.world.set_annotations({ANNOTATION: text.replace('"step":0', '"step":9')})
    assert stage.note() is None


def test_a_record_of_another_version_is_left_as_it_is(stage: Stage) -> None:
    rollout_id = stage.started(10).rollout.id
    stage.redis.hset(f"{PREFIX}r:{rollout_id}", "record", '{"v":9}')
    stage.ticker.tick(rollout_id)
    assert stage.redis.hget(f"{PREFIX}r:{rollout_id}", "record") == '{"v":9}'
    assert rollout_id in due_times(stage.redis)


# --- starts


def test_a_start_whose_only_write_is_refused_leaves_the_route_free(stage: Stage) -> None:
    stage.memory.after("save", lambda: stage.routes.before("write", refused))
    entry = stage.start(10)
    assert (entry.rollout.phase, entry.is_applied, stage.store.slot(entry.rollout.route_uid)) == (
        Phase.REFUSED,
        True,
        None,
    )
    assert stage.start(10).rollout.phase is Phase.STARTING


def test_a_start_that_loses_every_race_is_kept(stage: Stage) -> None:
    stage.routes.always("write", raced)
    request = stage.request("start", start=stage.words(10))
    stage.engine.receive(request)
    with pytest.raises(DependencyError, match="Too many changes"):
        stage.engine.process(request)
    assert stage.store.requests(stage.clock.now() + timedelta(seconds=1)) == [request]


def test_a_start_that_never_lands_does_not_end_the_finished_rollout_before_it(stage: Stage) -> None:
    first = stage.started(100).rollout.id
    stage.say("finish")
    stage.pass_time(seconds=1)
    stage.memory.after("save", lambda: stage.routes.before("write", refused))
    assert stage.start(10, subject=STABLE).rollout.phase is Phase.REFUSED
    stage.pass_time(seconds=1)
    assert stage.load(first).rollout.phase is Phase.FINISHED


def test_the_end_of_a_roll_back_that_is_not_written_yet_is_named_as_what_holds_the_route(stage: Stage) -> None:
    stage.started(10)
    stage.routes.before("write", no_answer)
    with pytest.raises(ClusterError):
        stage.say("rollback")
    with pytest.raises(SlotTakenError, match="Its end is being written"):
        stage.start(10)


# --- a store that forgot


def test_a_restored_first_write_still_waits_for_the_gateway(stage: Stage, robot: Robot) -> None:
    robot.answer = Answer(silent=True)
    rollout_id = stage.start(10).rollout.id
    robot.answer = Answer(refuses="no weights between pools here")
    stage.wait_observed()
    stage.lose_redis()
    stage.pass_time(seconds=1)
    assert (stage.load(rollout_id).rollout.phase, stage.world.weights()) == (Phase.ROLLED_BACK, [(STABLE, 1)])


def test_a_finished_rollout_is_restored_and_can_be_rolled_back(stage: Stage) -> None:
    rollout_id = stage.started(100).rollout.id
    stage.say("finish")
    stage.lose_redis()
    assert stage.load(rollout_id).rollout.phase is Phase.FINISHED
    stage.say("rollback")
    assert stage.world.weights() == [(STABLE, 1)]


def test_who_rolled_back_and_why_survives_a_store_that_forgot_a_step(stage: Stage) -> None:
    rollout_id = stage.started(10).rollout.id
    key = f"{PREFIX}r:{rollout_id}"
    then = stage.redis.hgetall(key)
    stage.step()
    stage.redis.delete(key)
    stage.redis.hset(key, mapping=then)  # type: ignore[arg-type]
    entry = stage.say("rollback", by=CAROL, reason="p99 doubled")
    assert (entry.rollout.phase, entry.rollout.by, entry.rollout.why) == (Phase.ROLLED_BACK, CAROL, "p99 doubled")
    assert stage.events(rollout_id).count("rolled_back") == 1


@pytest.mark.parametrize("field", ["record", "applied", "pending", "due"])
def test_a_record_that_nobody_can_read_is_named_once_and_keeps_no_other_from_its_step(
    stage: Stage, caplog: pytest.LogCaptureFixture, field: str
) -> None:
    rollout_id = stage.started(10).rollout.id
    junk = "r-0000000f"
    record: Any = stage.redis.hgetall(f"{PREFIX}r:{rollout_id}")
    stage.redis.hset(f"{PREFIX}r:{junk}", mapping={**record, field: "{"})
    for index in ("active", "due", "pending", "pending:brakes"):
        stage.redis.zadd(f"{PREFIX}{index}", {junk: 1})
    stage.step()
    stage.pass_time(seconds=1)
    assert [entry.rollout.id for entry in stage.engine.entries()] == [rollout_id]
    assert stage.load(rollout_id).rollout.weight == 25
    assert [text for text in caplog.messages if junk in text] == [
        f"The record of {junk} cannot be read. It waits for a version that can."
    ]
