"""A Redis that is empty, or older than it was, on real servers: every replica knows it, and nothing is stepped before
the rollouts are taken up again from their routes.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.domain.errors import StoreError
from bot.domain.rollout import Acceptance, Phase
from bot.engine.store_port import Shown
from bot.recovery.changes import ChangeLane
from bot.terminal.answer import Exit
from bot.terminal.follow import result
from k8s.document import ANNOTATION
from sandbox.fault_proxy import FaultProxy
from sandbox.process import wait_until
from tests.builders import BOB, CANARY, STABLE
from tests.failures import no_answer, no_redis
from tests.k8s.watching import deaf_cluster
from tests.memory import PREFIX, a_store
from tests.stage import Stage

FORGETFUL = "Redis has lost data; I am restoring the rollouts from their routes."


def a_backup(stage: Stage) -> Callable[[], None]:
    """Return what sets Redis back to how it is now."""
    client: Any = connect_raw(stage)
    keys = {key: client.dump(key) for key in client.keys("*")}

    def restore() -> None:
        client.flushdb()
        for key, dump in keys.items():
            client.restore(key, 0, dump)

    return restore


def connect_raw(stage: Stage) -> Any:
    pool = stage.redis.connection_pool
    return type(stage.redis)(**{key: pool.connection_kwargs[key] for key in ("host", "port", "db")})


def test_in_an_empty_redis_nothing_is_decided_claimed_or_drawn(stage: Stage) -> None:
    stage.started(10)
    stage.redis.flushdb()
    stage.clock.forward(minutes=10)
    with pytest.raises(StoreError) as refused:
        stage.say("advance")
    assert str(refused.value) == FORGETFUL
    assert (stage.store.claim_due(stage.clock.now()), stage.store.dirty(10)) == ([], {})


def test_a_rollout_that_an_empty_redis_lost_is_restored_and_waits_a_full_interval(stage: Stage) -> None:
    before = stage.started(10)
    stage.clock.forward(minutes=9)
    stage.lose_redis()
    after = stage.load(before.rollout.id)
    assert (after.rollout, after.is_applied, after.acceptance) == (before.rollout, True, Acceptance.WAITING)
    stage.pass_time(seconds=1)
    accepted = stage.load(before.rollout.id)
    assert (accepted.acceptance, accepted.due) == (Acceptance.ACCEPTED, stage.clock.now() + timedelta(minutes=10))
    assert stage.events(before.rollout.id) == ["rebuilt"]


def test_a_request_that_was_lost_with_redis_is_done_all_the_same(stage: Stage) -> None:
    stage.started(10)
    request = stage.request("pause")
    stage.engine.receive(request)
    stage.redis.flushdb()
    with pytest.raises(StoreError):
        stage.engine.process(request)
    stage.recovery.run()
    stage.clock.forward(seconds=6)
    (kept,) = stage.engine.waiting_requests(timedelta(seconds=5))
    outcome = stage.engine.process(kept)
    assert outcome is not None
    assert outcome.entry.rollout.phase is Phase.PAUSED


def test_a_request_that_was_lost_is_done_once_where_the_rebuild_was_faster(stage: Stage) -> None:
    stage.started(10)
    request = stage.request("pause")
    stage.engine.receive(request)
    stage.lose_redis()
    outcome = stage.engine.process(request)
    assert outcome is not None
    assert outcome.entry.rollout.phase is Phase.PAUSED
    assert stage.engine.process(request) is None


def test_a_refusal_is_told_even_if_redis_has_lost_the_request(stage: Stage) -> None:
    stage.started(10)
    request = stage.request("resume")
    stage.engine.receive(request)
    stage.lose_redis()
    with pytest.raises(Exception, match="You can't resume now"):
        stage.engine.process(request)
    assert stage.engine.process(request) is None


def test_an_older_redis_is_recognised_by_the_replica_that_has_seen_more(stage: Stage) -> None:
    rollout_id = stage.started(10).rollout.id
    restore = a_backup(stage)
    stage.step()
    restore()
    stage.clock.forward(minutes=10)
    assert stage.store.claim_due(stage.clock.now()) == []
    assert not stage.store.is_whole()
    stage.recovery.run()
    entry = stage.load(rollout_id)
    assert (entry.rollout.phase, entry.rollout.weight, entry.is_applied) == (Phase.PROGRESSING, 25, True)
    assert stage.world.weights() == [(STABLE, 75), (CANARY, 25)]


def test_every_replica_knows_what_one_of_them_has_noticed(stage: Stage) -> None:
    stage.started(10)
    restore = a_backup(stage)
    stage.step()
    restore()
    fresh = a_store(_url(stage))
    assert (fresh.is_whole(), stage.store.is_whole(), fresh.is_whole()) == (True, False, False)


def test_a_replica_that_was_cut_off_during_a_rebuild_goes_on_after_it(stage: Stage) -> None:
    stage.started(10)
    other = a_store(_url(stage))
    other.claim_due(stage.clock.now())
    stage.lose_redis()
    assert other.is_whole()
    assert other.claim_due(stage.clock.now() + timedelta(hours=1)) != []


def test_without_the_api_server_nothing_is_declared_whole(stage: Stage) -> None:
    rollout_id = stage.started(10).rollout.id
    stage.redis.flushdb()

    stage.routes.before("list", no_answer)
    stage.recovery.run()
    assert not stage.store.is_whole()
    stage.recovery.run()
    assert (stage.store.is_whole(), stage.load(rollout_id).rollout.weight) == (True, 10)


def test_a_change_that_a_half_open_watch_missed_is_seen_before_redis_is_declared_whole(
    stage: Stage, proxy: FaultProxy
) -> None:
    with deaf_cluster(proxy, stage.world) as cluster:
        rollout_id = stage.started(10).rollout.id
        stage.redis.flushdb()
        stage.replica(cluster).recovery.run()
    assert (stage.store.is_whole(), stage.load(rollout_id).rollout.weight) == (True, 10)


def test_nothing_is_declared_whole_while_a_rollout_of_an_older_redis_is_in_the_way_of_the_one_on_the_route(
    stage: Stage,
) -> None:
    stage.started(10)
    restore = a_backup(stage)
    stage.say("rollback")
    stage.clock.forward(seconds=1)
    second = stage.start(25).rollout.id
    restore()

    stage.routes.before("read", no_answer)
    stage.recovery.run()
    assert (stage.store.is_whole(), stage.store.load(second)) == (False, None)
    stage.recovery.run()
    assert (stage.store.is_whole(), stage.load(second).rollout.weight) == (True, 25)


def test_a_roll_back_while_redis_was_away_is_noticed_when_it_answers_again(stage: Stage) -> None:
    rollout_id = stage.started(10).rollout.id
    stage.memory.before("is_whole", no_redis)
    with pytest.raises(StoreError):
        stage.recovery.run()
    stage.engine.brake(stage.request("rollback"))
    stage.recovery.run()
    assert stage.load(rollout_id).rollout.phase is Phase.ROLLED_BACK


def test_an_outage_that_the_leader_did_not_see_is_made_up_for_too(stage: Stage) -> None:
    rollout_id = stage.started(10).rollout.id
    stage.engine.brake(stage.request("rollback"))
    stage.recovery.run()
    assert stage.load(rollout_id).rollout.phase is Phase.ROLLED_BACK


def test_a_change_that_could_not_be_looked_at_is_looked_at_when_redis_answers(stage: Stage) -> None:
    rollout_id = stage.started(10).rollout.id
    changes = ChangeLane(stage.audit, lambda: True, stage.recovery.look_again)
    changes.start()
    stage.replica(stage.cluster, stage.store).engine.brake(stage.request("rollback"))
    stage.memory.before("load", no_redis)
    before = len(stage.memory.calls)
    changes.route_changed(stage.copy())
    wait_until("the look", lambda: "load" in stage.memory.calls[before:], seconds=5)
    changes.stop()
    stage.recovery.run()
    assert stage.load(rollout_id).rollout.phase is Phase.ROLLED_BACK


def test_a_roll_back_whose_end_redis_has_lost_is_still_told(stage: Stage) -> None:
    rollout_id = stage.started(10).rollout.id
    stage.say("rollback", by=BOB, reason="p99")
    stage.lose_redis()
    entry = stage.load(rollout_id)
    assert (entry.rollout.phase, entry.rollout.why, entry.is_applied) == (Phase.ROLLED_BACK, "p99", True)
    assert (list(stage.store.dirty(10)), stage.store.slot(stage.copy().uid)) == ([rollout_id], None)


def test_one_that_was_over_the_day_before_stays_forgotten(stage: Stage) -> None:
    rollout_id = stage.started(10).rollout.id
    stage.say("rollback")
    stage.clock.forward(hours=25)
    stage.lose_redis()
    assert stage.store.load(rollout_id) is None


def test_a_rollout_that_an_older_redis_does_not_know_takes_the_route_from_the_one_before(stage: Stage) -> None:
    first = stage.started(10).rollout.id
    restore = a_backup(stage)
    stage.say("rollback")
    stage.clock.forward(seconds=1)
    second = stage.start(25).rollout.id
    restore()
    stage.recovery.run()
    assert stage.load(second).rollout.weight == 25
    assert (stage.load(first).rollout.phase, stage.store.slot(stage.copy().uid)) == (Phase.ENDED, second)
    assert stage.world.weights() == [(STABLE, 75), (CANARY, 25)]


@pytest.mark.parametrize(("moment", "phase"), [("save", Phase.ENDED), ("applied", Phase.ROLLED_BACK)])
def test_work_in_an_older_redis_is_over_if_a_later_rollout_had_the_route(
    stage: Stage, moment: str, phase: Phase
) -> None:
    first = stage.started(10).rollout.id
    backups: list[Callable[[], None]] = []
    stage.memory.before(moment, lambda: backups.append(a_backup(stage)))
    stage.say("rollback")
    stage.clock.forward(seconds=1)
    second = stage.start(25).rollout.id
    stage.say("end")
    left = stage.world.http_route()["spec"], stage.copy().annotation
    backups[0]()
    stage.recovery.run()
    stage.pass_time(minutes=20)
    assert [stage.load(each).rollout.phase for each in (first, second)] == [phase, Phase.ENDED]
    assert (stage.world.http_route()["spec"], stage.copy().annotation) == left
    assert stage.events(first)[-1] == ("ended" if phase is Phase.ENDED else "trouble")
    if phase is Phase.ROLLED_BACK:
        answer = result(stage.load(first), "rollback")
        assert (answer.exit, "belongs to rollout" in str(answer.said)) == (Exit.UNCONFIRMED, True)


def test_an_annotation_that_somebody_else_put_back_is_restored_paused(stage: Stage) -> None:
    rollout_id = stage.started(10).rollout.id
    old = stage.copy().annotation
    stage.say("rollback")
    stage.world.set_weights({STABLE: 90, CANARY: 10})
    stage.world.set_annotations({ANNOTATION: old})
    stage.lose_redis()
    stage.pass_time(seconds=2)
    entry = stage.load(rollout_id)
    assert (entry.rollout.phase, entry.rollout.drifted, entry.is_applied) == (Phase.PAUSED, True, True)
    assert (stage.note_phase(), stage.world.weights()) == (Phase.PAUSED, [(STABLE, 90), (CANARY, 10)])
    assert stage.events(rollout_id) == ["rebuilt", "drifted"]


def test_what_slack_shows_of_a_rollout_is_doubted_in_an_older_redis(stage: Stage) -> None:
    rollout_id = stage.started(10).rollout.id
    stage.store.show(rollout_id, Shown(channel="C0INFER001", ts="1.1", cursor=1), was=None)
    restore = a_backup(stage)
    stage.step()
    restore()
    stage.store.is_whole()
    stage.recovery.run()
    assert stage.store.shown(rollout_id) == Shown(channel="C0INFER001", ts="1.1", cursor=1, doubt=1)


def test_what_slack_shows_of_a_finished_rollout_is_doubted_too_but_checked_only_when_something_happens(
    stage: Stage,
) -> None:
    rollout_id = stage.started(10).rollout.id
    stage.say("rollback")
    told = Shown(channel="C0INFER001", ts="1.1", cursor=2)
    stage.store.show(rollout_id, told, was=None)
    stage.store.clean(rollout_id, stage.store.dirty(10)[rollout_id])
    stage.redis.hdel(f"{PREFIX}store", "epoch")
    stage.recovery.run()
    assert (stage.store.shown(rollout_id), stage.store.dirty(10)) == (replace(told, doubt=2), {})
    stage.say("rollback", reason="once more")
    assert list(stage.store.dirty(10)) == [rollout_id]


def _url(stage: Stage) -> str:
    where = stage.redis.connection_pool.connection_kwargs
    return f"redis://{where['host']}:{where['port']}/{where['db']}"
