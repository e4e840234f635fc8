from dataclasses import replace
from datetime import timedelta

import pytest
import redis

from bot.domain.errors import StoreError
from bot.domain.events import Event, EventKind
from bot.domain.rollout import Acceptance, Applied, Change, Entry, Phase, Rollout, Trouble
from bot.domain.verbs.pause import PAUSE
from bot.domain.verbs.registry import also
from bot.engine.ports import Became, Progress, Save, Saved, Shown
from bot.store.connection import connect
from bot.store.store import PREFIX, RedisStore
from sandbox.valkey import valkey
from sandbox.workplace import workplace
from tests.builders import NOON, READY, a_request, a_rollout, applied

STARTED = a_rollout(revision=1, decision="d1")
STEPPED = a_rollout(revision=2, decision="d2", step=1)
EVENT = Event(kind=EventKind.STARTED, at=NOON, weight=10)


@pytest.fixture
def store(redis_url: str) -> RedisStore:
    return RedisStore(connect(redis_url))


def a_save(rollout: Rollout, expected: str | None = None, **more: object) -> Save:
    change = Change(after=rollout, events=(replace(EVENT, weight=rollout.weight),), due=NOON)
    return replace(Save(change=change, expected=expected), **more)  # type: ignore[arg-type]


def test_a_decision_is_saved_once_however_often_it_is_sent(store: RedisStore) -> None:
    assert [store.save(a_save(STARTED, take_slot=True)) for _ in range(2)] == [Saved.YES, Saved.YES]
    assert store.load(STARTED.id) == Entry(rollout=STARTED, pending=("d1",), due=NOON)
    assert len(store.events(STARTED.id, 0)) == 1


def test_a_decision_on_an_older_decision_is_lost(store: RedisStore) -> None:
    store.save(a_save(STARTED))
    store.save(a_save(STEPPED, "d1"))
    assert store.save(a_save(replace(STEPPED, decision="d3"), "d1")) is Saved.LOST


def test_a_request_is_decided_once(store: RedisStore) -> None:
    request = a_request("pause")
    store.receive(request)
    assert store.save(a_save(STARTED, request=request.delivery)) is Saved.YES
    assert store.save(a_save(STEPPED, "d1", request=request.delivery)) is Saved.DECIDED
    assert store.drop(request.delivery, Became(refusal="No.")) is False
    assert store.became(request.delivery) == Became(rollout=STARTED.id)


def test_a_delivery_is_received_once_and_waits_in_the_inbox(store: RedisStore) -> None:
    request = a_request("pause", reason="& < > é — 🚀")
    assert [store.receive(request), store.receive(request)] == [True, False]
    assert store.requests(NOON + timedelta(seconds=1)) == [request]
    assert store.requests(NOON - timedelta(seconds=1)) == []


def test_a_request_of_a_verb_that_only_a_newer_version_knows_stays_in_the_inbox(
    store: RedisStore, caplog: pytest.LogCaptureFixture
) -> None:
    newer, ours = a_request("rewind", delivery="newer"), a_request("pause", delivery="ours")
    later = NOON + timedelta(seconds=1)
    assert [store.receive(newer), store.receive(ours)] == [True, True]
    assert store.requests(later) == [ours]
    assert caplog.messages == ["the request of delivery newer cannot be read; it stays in the inbox"]
    with also(replace(PAUSE, name="rewind")):
        assert store.requests(later) == [newer, ours]


def test_a_route_has_one_rollout_until_its_end_is_on_the_route(store: RedisStore) -> None:
    other = replace(STARTED, id="r-other", decision="o1")
    store.save(a_save(STARTED, take_slot=True))
    assert store.save(a_save(other, take_slot=True)) is Saved.TAKEN
    back = a_rollout(phase=Phase.ROLLED_BACK, revision=2, decision="d2")
    store.save(a_save(back, "d1"))
    assert store.save(a_save(other, take_slot=True)) is Saved.TAKEN
    store.applied(back.id, applied(back), moved=True)
    assert store.save(a_save(other, take_slot=True)) is Saved.YES
    assert (store.slot("uid-1"), store.latest("uid-1")) == ("r-other", "r-other")


def test_a_refused_start_does_not_count_as_the_newest(store: RedisStore) -> None:
    first, second = replace(STARTED, id="r-first"), replace(STARTED, id="r-second")
    store.save(a_save(first))
    store.save(a_save(second))
    store.save(a_save(replace(second, phase=Phase.REFUSED, decision="d2"), "d1", settled=True))
    assert store.latest("uid-1") == "r-first"


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


def test_a_claim_comes_again_where_the_step_saved_no_new_time(store: RedisStore) -> None:
    store.save(a_save(STARTED))
    assert store.claim_due(NOON) == [(STARTED.id, NOON)]
    assert store.claim_due(NOON) == []
    assert store.next_due() == NOON + timedelta(seconds=10)


def test_a_card_marked_again_while_it_was_drawn_stays_dirty(store: RedisStore) -> None:
    store.save(a_save(STARTED))
    seen = store.mark(STARTED.id)
    store.save(a_save(STEPPED, "d1"))
    store.clean(STARTED.id, seen)
    assert store.dirty(10) == [STARTED.id]
    store.clean(STARTED.id, store.mark(STARTED.id))
    assert store.dirty(10) == []


def test_cards_are_drawn_in_the_order_in_which_they_fell_behind_state_changes_first(store: RedisStore) -> None:
    ids = ["r-c", "r-a", "r-b"]
    for number, rollout_id in enumerate(ids):
        store.save(a_save(replace(STARTED, id=rollout_id, route_uid=f"uid-{number}")))
    assert store.dirty(10) == ids
    store.clean("r-c", store.mark("r-c"))
    store.learn("r-c", "d1", Progress(readiness=READY))
    store.learn("r-a", "d1", Progress(readiness=READY))
    assert store.dirty(10) == ["r-a", "r-b", "r-c"]


def test_what_slack_shows_is_remembered(store: RedisStore) -> None:
    shown = Shown(channel="C1", ts="1.2", digest="x", posts=2, claimed=NOON, cursor=3)
    assert store.show("r-1", shown, was=None)
    assert (store.shown("r-1"), store.shown("r-2")) == (shown, None)


def test_what_slack_shows_is_only_saved_over_what_the_writer_saw(store: RedisStore) -> None:
    first, mine, theirs = (Shown(channel="C1", ts="1.2", cursor=number, claimed=NOON) for number in range(3))
    assert store.show("r-1", first, was=None)
    assert store.show("r-1", theirs, was=first)
    assert not store.show("r-1", mine, was=first)
    assert not store.show("r-1", mine, was=None)
    assert not store.show("r-2", mine, was=first)
    assert (store.shown("r-1"), store.shown("r-2")) == (theirs, None)


def test_what_another_version_of_the_bot_showed_can_be_saved_over(store: RedisStore, redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.set(f"{PREFIX}shown:r-1", '{"channel":"C1","ts":"1.2","cursor":3,"of_the_next_version":7}')
    shown = store.shown("r-1")
    assert shown == Shown(channel="C1", ts="1.2", cursor=3)
    assert store.show("r-1", replace(shown, cursor=4), was=shown)


def test_rollouts_are_found_by_name_and_channel_newest_first(store: RedisStore) -> None:
    later = replace(STARTED, id="r-later", started_at=NOON + timedelta(hours=1))
    over = replace(STARTED, id="r-over", phase=Phase.ENDED)
    for rollout in (STARTED, later, over):
        store.save(a_save(rollout))
    assert [entry.rollout.id for entry in store.entries()] == ["r-later", STARTED.id]
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


def test_what_an_older_rollout_left_behind_goes_with_the_newer_one(store: RedisStore, redis_url: str) -> None:
    first, second = replace(STARTED, id="r-first"), replace(STARTED, id="r-second")
    ended = [replace(one, phase=Phase.ENDED, decision="d2") for one in (first, second)]
    store.save(a_save(first))
    store.save(a_save(ended[0], "d1", settled=True))
    store.save(a_save(second))
    indices = {"order:uid-1", f"canary:{STARTED.canary.name}", f"channel:{STARTED.channel}"}
    assert kept_for_ever(redis_url) >= indices | {"r:r-second"}
    store.save(a_save(ended[1], "d1", settled=True))
    assert not kept_for_ever(redis_url) & indices


def test_what_is_not_over_stays_findable_beside_what_is(store: RedisStore, redis_url: str) -> None:
    long_ago = replace(STARTED, id="r-long", started_at=NOON - timedelta(days=200))
    elsewhere = replace(STARTED, id="r-other", route_uid="uid-2")
    for rollout in (long_ago, elsewhere):
        store.save(a_save(rollout))
    store.save(a_save(replace(elsewhere, phase=Phase.ENDED, decision="d2"), "d1", settled=True))
    assert [entry.rollout.id for entry in store.named(STARTED.canary.name)] == ["r-long", "r-other"]
    assert [entry.rollout.id for entry in store.in_channel(STARTED.channel)] == ["r-long", "r-other"]
    kept = {"order:uid-1", f"canary:{STARTED.canary.name}", f"channel:{STARTED.channel}", "r:r-long"}
    assert kept_for_ever(redis_url) >= kept
    assert "order:uid-2" not in kept_for_ever(redis_url)


def kept_for_ever(redis_url: str) -> set[str]:
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        return {key.removeprefix(PREFIX) for key in client.scan_iter() if client.ttl(key) < 0}


def test_a_store_that_hangs_fails_within_a_second_or_so_in_our_words() -> None:
    with workplace(prefix="store") as place, valkey(place) as server:
        store = RedisStore(connect(server.url()))
        store.ping()
        server.server.freeze()
        with pytest.raises(StoreError, match=r"^Redis does not answer\.$"):
            store.receive(a_request("pause"))
        server.server.thaw()


def test_what_was_written_survives_kill_9() -> None:
    with workplace(prefix="store") as place, valkey(place) as server:
        store = RedisStore(connect(server.url()))
        store.declare_whole(NOON)
        store.save(a_save(STARTED))
        with redis.Redis.from_url(server.url()) as client:
            client.execute_command("WAITAOF", 1, 0, 2000)
        server.server.kill()
        server.start()
        assert RedisStore(connect(server.url())).load(STARTED.id) == Entry(rollout=STARTED, pending=("d1",), due=NOON)
