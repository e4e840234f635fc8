from dataclasses import replace
from datetime import timedelta

import redis

from bot.domain.rollout import Acceptance, Applied, Change, Entry, Phase, Trouble
from bot.engine.store_port import Progress, Save, Saved, Shown
from bot.store.store import RedisStore
from tests.bot.store.saves import EVENT, STARTED, STEPPED, a_save
from tests.builders import NOON, READY, a_rollout, applied
from tests.memory import PREFIX


def test_a_decision_is_saved_once_however_often_it_is_sent(store: RedisStore) -> None:
    assert [store.save(a_save(STARTED, take_slot=True)) for _ in range(2)] == [Saved.YES, Saved.YES]
    assert store.load(STARTED.id) == Entry(rollout=STARTED, pending=("d1",), due=NOON)
    assert len(store.events(STARTED.id, 0)) == 1


def test_a_decision_on_an_older_decision_is_lost(store: RedisStore) -> None:
    store.save(a_save(STARTED))
    store.save(a_save(STEPPED, "d1"))
    assert store.save(a_save(replace(STEPPED, decision="d3"), "d1")) is Saved.LOST


def test_a_route_has_one_rollout_until_its_end_is_on_the_route(store: RedisStore) -> None:
    other = replace(STARTED, id="r-0000000c", decision="o1")
    store.save(a_save(STARTED, take_slot=True))
    assert store.save(a_save(other, take_slot=True)) is Saved.TAKEN
    back = a_rollout(phase=Phase.ROLLED_BACK, revision=2, decision="d2")
    store.save(a_save(back, "d1"))
    assert store.save(a_save(other, take_slot=True)) is Saved.TAKEN
    store.applied(back.id, applied(back), moved=True)
    assert store.save(a_save(other, take_slot=True)) is Saved.YES
    assert (store.slot("uid-1"), store.latest("uid-1")) == ("r-0000000c", "r-0000000c")


def test_a_refused_start_does_not_count_as_the_newest(store: RedisStore) -> None:
    first, second = replace(STARTED, id="r-0000000a"), replace(STARTED, id="r-0000000b")
    store.save(a_save(first))
    store.save(a_save(second))
    store.save(a_save(replace(second, phase=Phase.REFUSED, decision="d2"), "d1", settled=True))
    assert store.latest("uid-1") == "r-0000000a"


def test_applied_clears_what_is_pending_and_asks_for_acceptance(store: RedisStore) -> None:
    store.save(a_save(STARTED))
    store.save(a_save(STEPPED, "d1"))
    store.applied(STEPPED.id, applied(STEPPED), moved=True)
    entry = store.load(STEPPED.id)
    assert entry == Entry(
        rollout=STEPPED,
        applied=applied(STEPPED),
        acceptance=Acceptance.WAITING,
        due=NOON + timedelta(milliseconds=300),
    )
    assert store.unapplied(NOON + timedelta(hours=1), brakes=False) == []


def test_an_older_decision_that_was_written_late_only_moves_applied(store: RedisStore) -> None:
    store.save(a_save(STARTED))
    store.save(a_save(STEPPED, "d1"))
    first = Applied(revision=1, decision="d1", weight=10, at=NOON)
    store.applied(STARTED.id, first, moved=True)
    assert store.load(STARTED.id) == Entry(rollout=STEPPED, applied=first, pending=("d2",), due=NOON)


def test_a_decision_nobody_knows_is_not_saved_as_applied(store: RedisStore) -> None:
    store.save(a_save(STARTED))
    store.applied(STARTED.id, Applied(revision=9, decision="x", weight=10, at=NOON), moved=True)
    assert store.load(STARTED.id) == Entry(rollout=STARTED, pending=("d1",), due=NOON)


def test_what_is_learnt_of_an_older_decision_is_not_saved(store: RedisStore) -> None:
    store.save(a_save(STARTED))
    trouble = Trouble(since=NOON, reason="No answer.", attempts=1)
    assert store.learn(STARTED.id, "d0", Progress(trouble=trouble)) is False
    assert store.learn(STARTED.id, "d1", Progress(trouble=trouble, readiness=READY, no_due=True)) is True
    assert store.load(STARTED.id) == Entry(rollout=STARTED, pending=("d1",), trouble=trouble, readiness=READY)


def test_rollouts_are_found_by_name_and_channel_newest_first(store: RedisStore) -> None:
    later = replace(STARTED, id="r-0000000d", started_at=NOON + timedelta(hours=1))
    over = replace(STARTED, id="r-0000000e", phase=Phase.ENDED)
    for rollout in (STARTED, later, over):
        store.save(a_save(rollout))
    assert [entry.rollout.id for entry in store.entries()] == ["r-0000000d", STARTED.id]
    assert len(store.named(STARTED.canary.name)) == len(store.in_channel(STARTED.channel)) == 3


def test_of_a_rollout_that_is_over_nothing_stays_for_ever(store: RedisStore, redis_url: str) -> None:
    store.save(a_save(STARTED, take_slot=True))
    refused = Save(
        change=Change(after=replace(STARTED, phase=Phase.REFUSED, decision="d2"), events=(EVENT,)),
        expected="d1",
        settled=True,
    )
    store.save(refused)
    store.show(STARTED.id, Shown(channel="C1", ts="1.2"), was=None)
    assert kept_for_ever(redis_url) == {"store", "dirty"}


def test_data_of_an_older_rollout_expires_with_the_newer_one(store: RedisStore, redis_url: str) -> None:
    first, second = replace(STARTED, id="r-0000000a"), replace(STARTED, id="r-0000000b")
    ended = [replace(one, phase=Phase.ENDED, decision="d2") for one in (first, second)]
    store.save(a_save(first))
    store.save(a_save(ended[0], "d1", settled=True))
    store.save(a_save(second))
    indices = {"order:uid-1", f"canary:{STARTED.canary.name}", f"channel:{STARTED.channel}"}
    assert kept_for_ever(redis_url) >= indices | {"r:r-0000000b"}
    store.save(a_save(ended[1], "d1", settled=True))
    assert not kept_for_ever(redis_url) & indices


def test_a_running_rollout_stays_findable_beside_a_finished_one(store: RedisStore, redis_url: str) -> None:
    long_ago = replace(STARTED, id="r-0000000f", started_at=NOON - timedelta(days=200))
    elsewhere = replace(STARTED, id="r-0000000c", route_uid="uid-2")
    for rollout in (long_ago, elsewhere):
        store.save(a_save(rollout))
    store.save(a_save(replace(elsewhere, phase=Phase.ENDED, decision="d2"), "d1", settled=True))
    assert [entry.rollout.id for entry in store.named(STARTED.canary.name)] == ["r-0000000f", "r-0000000c"]
    assert [entry.rollout.id for entry in store.in_channel(STARTED.channel)] == ["r-0000000f", "r-0000000c"]
    kept = {"order:uid-1", f"canary:{STARTED.canary.name}", f"channel:{STARTED.channel}", "r:r-0000000f"}
    assert kept_for_ever(redis_url) >= kept
    assert "order:uid-2" not in kept_for_ever(redis_url)


def kept_for_ever(redis_url: str) -> set[str]:
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        return {key.removeprefix(PREFIX) for key in client.scan_iter() if client.ttl(key) < 0}
