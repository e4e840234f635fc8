from threading import Event as Signal

import pytest

from bot.domain.errors import StoreError
from handlers.board.lanes import BoardThread
from sandbox.strict_slack import StrictSlack
from tests.handlers.board.board_world import World, entry_of


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
