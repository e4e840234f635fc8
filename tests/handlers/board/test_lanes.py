from threading import Event as Signal

import pytest

from bot.domain.errors import StoreError
from bot.domain.rollout import Phase
from handlers.board.lanes import BoardThread
from sandbox.process import wait_until
from sandbox.strict_slack import StrictSlack
from tests.handlers.board.board_world import World, entry_of
from tests.handlers.fakes import moved


@pytest.fixture
def world(slack: StrictSlack) -> World:
    return World(slack)


def test_the_thread_wakes_at_once_and_stops(world: World) -> None:
    running = BoardThread(world.board, world.clock, world.bell)
    running.start()
    posted = Signal()
    world.during("chat.postMessage", posted.set)
    world.memory.put(entry_of("r-7f3a2c01"))
    world.bell.ring()
    assert posted.wait(10)
    running.stop()
    assert len(world.slack.cards()) == 1


def test_a_store_that_is_away_does_not_end_the_thread(world: World) -> None:
    running = BoardThread(world.board, world.clock, world.bell)
    failed, posted = Signal(), Signal()

    def away(limit: int) -> dict[str, str]:
        del world.memory.dirty
        failed.set()
        raise StoreError("Redis did not answer.")

    world.memory.dirty = away  # type: ignore[method-assign]
    world.during("chat.postMessage", posted.set)
    world.memory.put(entry_of("r-7f3a2c01"))
    running.start()
    assert failed.wait(10)
    world.bell.ring()
    assert posted.wait(10)
    running.stop()


def test_nothing_is_begun_by_a_process_that_does_not_lead(world: World) -> None:
    leads, posted = Signal(), Signal()
    running = BoardThread(world.board, world.clock, world.bell, leads.is_set)
    running.start()
    world.during("chat.postMessage", posted.set)
    world.memory.put(entry_of("r-7f3a2c01"))
    world.bell.ring()
    assert not posted.wait(0.2)
    leads.set()
    world.bell.ring()
    assert posted.wait(10)
    running.stop()


def test_a_card_that_becomes_urgent_goes_before_those_that_were_behind_already(world: World) -> None:
    entries = [entry_of(f"r-{number:08}") for number in range(3)]
    for entry in entries:
        world.memory.put(entry)
        world.round(seconds=2)
    for entry in entries[:2]:
        world.memory.put(moved(entry, turn=5))

    def rolls_back() -> None:
        world.memory.put(moved(entries[2], phase=Phase.ROLLED_BACK, turn=5), place=0)
        world.bell.ring()

    world.during("chat.update", rolls_back)
    running = BoardThread(world.board, world.clock, world.bell)
    running.start()
    wait_until("three edits", lambda: world.slack.count("chat.update") == 3, seconds=10)
    running.stop()
    edits = [words for method, words in world.slack.calls if method == "chat.update"]
    assert [words["ts"] for words in edits] == [world.memory.shows[entries[place].rollout.id].ts for place in (0, 2, 1)]
