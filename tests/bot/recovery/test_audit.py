"""A look at all routes that does not see them all: what goes on after it, and what is looked at again."""

from collections.abc import Callable
from contextlib import suppress

import pytest

from bot.domain.errors import StoreError
from bot.domain.rollout import Phase
from bot.recovery.store_recovery import StoreRecovery
from k8s.cluster import Cluster
from k8s.document import ANNOTATION
from sandbox.objects import PORT, pool
from tests.builders import STABLE
from tests.failures import no_answer, no_redis, refused
from tests.memory import PREFIX
from tests.stage import NOTES, Stage


def test_a_refused_namespace_does_not_keep_rollouts_of_others_from_being_restored(stage: Stage) -> None:
    stage.cluster = Cluster(stage.cluster._api, ["of-a-team-that-left", stage.world.namespace], notes=NOTES)
    stage.__post_init__()
    rollout_id = stage.started(10).rollout.id
    stage.routes.before("list", refused)
    stage.lose_redis()
    assert (stage.store.is_whole(), stage.load(rollout_id).rollout.weight) == (True, 10)


def test_a_refused_namespace_is_restored_by_the_first_look_that_is_allowed(stage: Stage) -> None:
    rollout_id = stage.started(10).rollout.id
    stage.routes.before("list", refused)
    stage.lose_redis()
    assert (stage.store.is_whole(), stage.store.load(rollout_id)) == (True, None)
    stage.audit.inspect()
    assert stage.load(rollout_id).rollout.weight == 10


def test_where_only_the_pools_are_refused_the_routes_are_looked_at(stage: Stage) -> None:
    rollout_id = stage.started(10).rollout.id
    stage.routes.before("pools", refused)
    stage.lose_redis()
    assert (stage.store.is_whole(), stage.load(rollout_id).rollout.weight) == (True, 10)


def test_the_sweep_sees_an_edit_in_the_copies_of_the_watch(stage: Stage) -> None:
    rollout_id = stage.started(10).rollout.id
    stage.world.edit_weights(60, 40)
    stage.routes.calls.clear()
    assert stage.audit.sweep()
    assert stage.load(rollout_id).rollout.phase is Phase.PAUSED
    assert [call for call in stage.routes.calls if call in ("list", "copies", "pools")] == ["copies", "pools"]


def test_a_deleted_old_pool_that_the_watch_missed_pauses_the_rollout_until_people_go_on_without_it(
    stage: Stage,
) -> None:
    rollout_id = stage.started(10).rollout.id
    stage.world.delete_pool(STABLE)
    stage.audit.inspect()
    rollout = stage.load(rollout_id).rollout
    assert (rollout.phase, rollout.why) == (
        Phase.PAUSED,
        f"InferencePool `{STABLE}` was deleted. A roll back would have nowhere to go: promote, or create it again.",
    )
    stage.say("resume")
    stage.audit.inspect()
    assert stage.load(rollout_id).rollout.phase is Phase.PROGRESSING


def test_an_old_pool_that_is_there_again_counts_again(stage: Stage) -> None:
    rollout_id = stage.started(10).rollout.id
    stage.world.delete_pool(STABLE)
    stage.audit.inspect()
    stage.say("resume")
    stage.world.kube.create(pool(STABLE, stage.world.namespace, PORT))
    before = stage.load(rollout_id)
    stage.audit.inspect()
    entry = stage.load(rollout_id)
    assert (before.rollout.stable_gone, entry.rollout.stable_gone) == (True, False)
    assert (entry.rollout.phase, entry.rollout.by, entry.rollout.turn, entry.due, entry.step_due) == (
        Phase.PROGRESSING,
        before.rollout.by,
        before.rollout.turn,
        before.due,
        before.step_due,
    )
    stage.world.delete_pool(STABLE)
    stage.audit.inspect()
    assert stage.load(rollout_id).rollout.phase is Phase.PAUSED


def test_a_rollout_that_people_finish_without_its_old_pool_is_cleaned_up(stage: Stage) -> None:
    rollout_id = stage.started(100).rollout.id
    stage.world.delete_pool(STABLE)
    stage.audit.inspect()
    stage.say("finish")
    stage.audit.inspect()
    assert stage.load(rollout_id).rollout.phase is Phase.CLEANED


@pytest.mark.parametrize(("port", "method", "fault"), [("routes", "list", no_answer), ("memory", "entries", no_redis)])
def test_a_missed_change_stays_missed_until_a_look_has_seen_it(
    stage: Stage, port: str, method: str, fault: Callable[[], None]
) -> None:
    rollout_id = stage.started(10).rollout.id
    recovery = StoreRecovery(stage.store, stage.clock, stage.audit)
    stage.engine.brake(stage.request("rollback"))
    recovery.look_again()
    getattr(stage, port).before(method, fault)
    with suppress(StoreError):
        recovery.run()
    assert stage.load(rollout_id).rollout.phase is Phase.PROGRESSING
    stage.clock.forward(seconds=5)
    recovery.run()
    assert stage.load(rollout_id).rollout.phase is Phase.ROLLED_BACK


def test_a_look_that_did_not_see_everything_is_not_repeated_every_second(stage: Stage) -> None:
    stage.routes.always("list", no_answer)
    stage.recovery.look_again()
    for _ in range(10):
        stage.recovery.run()
        stage.clock.forward(seconds=1)
    assert stage.routes.calls.count("list") == 2


@pytest.mark.parametrize("version", ["the record's", "the record's and the annotation's"])
def test_a_record_of_a_newer_version_is_logged_and_does_not_keep_the_others_from_going_on(
    stage: Stage, caplog: pytest.LogCaptureFixture, version: str
) -> None:
    rollout_id = stage.started(10).rollout.id
    stage.redis.hset(f"{PREFIX}r:{rollout_id}", "record", '{"v":9}')
    if "annotation" in version:
        stage.world.set_annotations({ANNOTATION: '{"v":9}'})
    stage.redis.hdel(f"{PREFIX}store", "epoch")
    assert not stage.store.is_whole()
    stage.recovery.run()
    assert stage.store.is_whole()
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == [
        f"leaving route {stage.world.namespace}/{stage.world.route} as it is: "
        "The record was written by another version of the bot. Run that version again."
    ]
