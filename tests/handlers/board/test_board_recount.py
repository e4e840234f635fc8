"""The board after Redis was lost: the same card, and a thread that goes on where it stood."""

import pytest

from bot.domain.events import Event, EventKind
from bot.engine.store_port import Shown
from handlers.board.card_state import recounted
from sandbox.strict_slack import StrictSlack
from tests.builders import ALICE, NOON
from tests.handlers.board.board_world import World, entry_of
from tests.handlers.records import ROOM

ID = "r-7f3a2c01"
STARTED = Event(kind=EventKind.STARTED, at=NOON, by=ALICE, weight=10)
STEPPED = Event(kind=EventKind.STEPPED, at=NOON, weight=25)
REBUILT = Event(kind=EventKind.REBUILT, at=NOON, weight=25)


@pytest.fixture
def world(slack: StrictSlack) -> World:
    """A board that has told two events."""
    world = World(slack)
    world.memory.put(entry_of(ID), STARTED, STEPPED)
    world.round()
    return world


def places(world: World) -> list[str]:
    (card,) = world.slack.cards()
    return [note["blocks"][0]["block_id"] for note in world.slack.thread(card["ts"])]


def test_an_empty_store_finds_card_and_thread_and_counts_on(world: World) -> None:
    ts = world.shown.ts
    del world.memory.shows[ID], world.memory.streams[ID]
    world.memory.put(entry_of(ID), REBUILT)
    world.round(seconds=10)
    assert places(world) == [f"event:{ID}:1-2", f"event:{ID}:3-3"]
    assert world.shown == Shown(channel=ROOM, ts=ts, digest=world.shown.digest, posts=1, cursor=1, forgotten=2)


def test_the_next_event_has_the_next_place(world: World) -> None:
    del world.memory.shows[ID], world.memory.streams[ID]
    world.memory.put(entry_of(ID), REBUILT)
    world.round(seconds=10)
    world.memory.put(entry_of(ID), STEPPED)
    world.round(seconds=10)
    assert places(world)[-1] == f"event:{ID}:4-4"


def test_an_unclear_post_after_that_is_found_by_its_place(world: World) -> None:
    del world.memory.shows[ID], world.memory.streams[ID]
    world.memory.put(entry_of(ID), REBUILT)
    world.round(seconds=10)
    world.memory.put(entry_of(ID), STEPPED)
    world.slack.faults.next("chat.postMessage", "lost")
    world.round(seconds=10)
    world.round(seconds=30)
    assert (places(world)[-1], world.shown.cursor, world.memory.order) == (f"event:{ID}:4-4", 2, [])


def test_an_older_store_tells_nothing_twice(world: World) -> None:
    ts = world.shown.ts
    world.memory.streams[ID] = [STARTED]
    world.memory.shows[ID] = Shown(channel=ROOM, ts=ts, posts=1, cursor=1, doubt=1)
    world.memory.put(entry_of(ID), REBUILT)
    world.round(seconds=10)
    assert places(world) == [f"event:{ID}:1-2", f"event:{ID}:3-3"]
    assert (world.shown.cursor, world.shown.forgotten, world.shown.doubt) == (2, 1, None)


@pytest.mark.parametrize(
    ("cursor", "forgotten", "doubt", "told", "after"),
    [
        (0, 0, 0, 5, (0, 5)),  # all is forgotten
        (3, 0, 4, 6, (4, 2)),  # two are forgotten, one was told after the store was saved
        (3, 0, 5, 4, (4, 0)),  # nothing is forgotten but how far the thread was
        (3, 0, 3, 3, (3, 0)),  # nothing at all
        (3, 0, 3, 0, (3, 0)),  # somebody took the thread's messages away
        (1, 2, 1, 5, (1, 4)),  # it happens a second time
    ],
)
def test_recounted(cursor: int, forgotten: int, doubt: int, told: int, after: tuple[int, int]) -> None:
    shown = Shown(channel=ROOM, cursor=cursor, forgotten=forgotten, doubt=doubt)
    assert recounted(shown, told) == after
