from dataclasses import replace

import redis

from bot.engine.store_port import Progress, Shown
from bot.store.store import RedisStore
from tests.bot.store.saves import STARTED, STEPPED, a_save
from tests.builders import NOON, READY
from tests.memory import PREFIX


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


def test_a_card_of_another_version_of_the_bot_can_be_saved_over(store: RedisStore, redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.set(f"{PREFIX}shown:r-1", '{"channel":"C1","ts":"1.2","cursor":3,"of_the_next_version":7}')
    shown = store.shown("r-1")
    assert shown == Shown(channel="C1", ts="1.2", cursor=3)
    assert store.show("r-1", replace(shown, cursor=4), was=shown)
