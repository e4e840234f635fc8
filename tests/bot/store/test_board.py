from dataclasses import replace

import pytest
import redis

from bot.domain.rollout import Applied, Phase
from bot.engine.store_port import Progress, Shown
from bot.store.store import RedisStore
from tests.bot.store.saves import STARTED, STEPPED, a_save
from tests.builders import NOON, READY
from tests.memory import PREFIX


def test_a_card_marked_again_while_it_was_drawn_stays_dirty(store: RedisStore) -> None:
    store.save(a_save(STARTED))
    assert store.dirty(10) == {STARTED.id: "1"}
    store.save(a_save(STEPPED, "d1"))
    store.clean(STARTED.id, "1")
    assert store.dirty(10) == {STARTED.id: "2"}
    store.clean(STARTED.id, "2")
    assert store.dirty(10) == {}


def test_cards_are_drawn_in_the_order_in_which_they_fell_behind_decisions_first(store: RedisStore) -> None:
    ids = ["r-c", "r-a", "r-b"]
    for number, rollout_id in enumerate(ids):
        store.save(a_save(replace(STEPPED, id=rollout_id, route_uid=f"uid-{number}")))
    assert list(store.dirty(10)) == ids
    store.clean("r-c", "1")
    store.learn("r-c", STEPPED.decision, Progress(readiness=READY))
    store.learn("r-a", STEPPED.decision, Progress(readiness=READY))
    assert list(store.dirty(10)) == ["r-a", "r-b", "r-c"]


@pytest.mark.parametrize("phase", [Phase.STARTING, Phase.ROLLED_BACK])
def test_of_cards_that_somebody_waits_for_the_newest_comes_first(store: RedisStore, phase: Phase) -> None:
    for rollout_id in ("r-b", "r-c", "r-a"):
        store.save(a_save(replace(STARTED, id=rollout_id, route_uid=rollout_id, phase=phase)))
    assert list(store.dirty(10)) == ["r-a", "r-c", "r-b"]
    store.applied("r-c", Applied(revision=STARTED.revision, decision=STARTED.decision, weight=0, at=NOON), moved=False)
    assert list(store.dirty(10)) == ["r-c", "r-a", "r-b"]


@pytest.mark.parametrize("phase", [Phase.ROLLED_BACK, Phase.REFUSED, Phase.AWAITING_APPROVAL, Phase.PAUSED])
def test_a_card_that_shows_a_roll_back_or_asks_for_a_person_comes_first_then_new_ones_then_steps(
    store: RedisStore, phase: Phase
) -> None:
    phases = {"r-step": Phase.PROGRESSING, "r-new": Phase.STARTING, "r-needed": phase}
    for rollout_id, each in phases.items():
        store.save(a_save(replace(STARTED, id=rollout_id, route_uid=rollout_id, phase=each)))
    assert list(store.dirty(10)) == ["r-needed", "r-new", "r-step"]
    for rollout_id, mark in store.dirty(10).items():
        store.clean(rollout_id, mark)
    for rollout_id in phases:
        written = Applied(revision=STARTED.revision, decision=STARTED.decision, weight=10, at=NOON)
        store.applied(rollout_id, written, moved=False)
    assert list(store.dirty(10)) == ["r-needed", "r-new", "r-step"]


def test_a_card_whose_row_is_not_ours_does_not_hide_the_others(store: RedisStore, redis_url: str) -> None:
    store.save(a_save(STARTED))
    with redis.Redis.from_url(redis_url) as client:
        client.set(f"{PREFIX}r:r-foreign", "a text")
        client.zadd(f"{PREFIX}dirty", {"r-foreign": 0})
    assert store.dirty(10) == {"r-foreign": "0", STARTED.id: "1"}


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
