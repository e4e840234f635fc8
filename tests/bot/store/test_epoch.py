from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.errors import StoreError
from bot.engine.store_port import Saved, Shown
from bot.store.connection import connect
from bot.store.epoch import SeenWrites
from bot.store.store import open_memory
from tests.bot.store.saves import STARTED, STEPPED, a_save
from tests.builders import NOON
from tests.memory import a_memory, prefix


def test_a_memory_that_is_not_whole_takes_only_what_a_rebuild_saves(redis_url: str) -> None:
    memory = a_memory(redis_url)
    memory.store.declare_whole(NOON)
    memory.store.save(a_save(STARTED))
    other = a_memory(redis_url)
    other.store.declare_whole(NOON + timedelta(seconds=1))
    other.store.save(a_save(STEPPED, STARTED.decision))
    memory.store.claim_due(NOON)
    a_memory(redis_url).store.declare_whole(NOON)  # as a backup from before that would
    third = a_save(replace(STEPPED, decision="d3"), STEPPED.decision)
    with pytest.raises(StoreError):
        memory.store.save(third)
    assert not memory.store.is_whole()
    assert memory.for_rebuild.save(third) is Saved.YES


def test_no_message_is_claimed_by_a_memory_that_has_gone_back(redis_url: str) -> None:
    memory = a_memory(redis_url)
    memory.store.declare_whole(NOON + timedelta(seconds=1))
    memory.store.save(a_save(STARTED))
    before = Shown(channel="C1", ts="1.1")
    assert memory.store.show(STARTED.id, before, was=None)
    a_memory(redis_url).store.declare_whole(NOON)  # as a backup from before that would
    claim = replace(before, thread_claimed=NOON)
    assert not memory.store.show(STARTED.id, claim, was=before)
    assert memory.store.shown(STARTED.id) == before
    memory.store.doubt()
    assert memory.store.shown(STARTED.id) == replace(before, doubt=1)


def test_both_stores_of_a_memory_hear_of_what_falls_behind(redis_url: str) -> None:
    heard: list[str] = []
    memory = open_memory(connect(redis_url), prefix, fell_behind=lambda: heard.append("a card"))
    memory.store.save(a_save(STARTED))
    memory.for_rebuild.save(a_save(STEPPED, STARTED.decision))
    assert heard == ["a card", "a card"]


@pytest.mark.parametrize(
    ("seen", "newer", "kept"),
    [
        ((1, 5), (1, 6), ("1", "6")),
        ((1, 6), (1, 5), ("1", "6")),
        ((1, 6), (2, 0), ("2", "0")),
        ((2, 0), (1, 9), ("2", "0")),
    ],
)
def test_a_replica_keeps_the_newest_state_that_it_has_seen(
    seen: tuple[int, int], newer: tuple[int, int], kept: tuple[str, str]
) -> None:
    seen_writes = SeenWrites()
    seen_writes.saw(seen)
    seen_writes.saw(newer)
    assert seen_writes.expected() == kept


def test_a_new_epoch_is_newer_than_any_that_was_seen_whatever_the_clock_says() -> None:
    seen_writes = SeenWrites()
    seen_writes.saw((5000, 3))
    assert (seen_writes.epoch_after(1000), seen_writes.epoch_after(9000)) == (5001, 9000)
