"""A card is found again however much was said after it, and Slack is not asked faster than it wants."""

import pytest

from bot.domain.events import Event, EventKind
from sandbox.strict_slack import StrictSlack
from tests.builders import ALICE, NOON
from tests.handlers.board.board_world import World, entry_of
from tests.handlers.records import ROOM

ID = "r-7f3a2c01"
STARTED = Event(kind=EventKind.STARTED, at=NOON, by=ALICE, weight=10)
REBUILT = Event(kind=EventKind.REBUILT, at=NOON, weight=25)


@pytest.fixture
def world(slack: StrictSlack) -> World:
    """A board whose card is up to date, and a Slack whose pages are as long as they can be."""
    slack.page = 200
    world = World(slack)
    world.memory.put(entry_of(ID), STARTED)
    world.round()
    assert world.memory.order == []
    return world


def chatter(world: World, count: int, *, thread_ts: str = "") -> None:
    """Let people write messages, a thousand a second."""
    begin, reply = world.slack.now() + 1, {"thread_ts": thread_ts, "broadcast": False} if thread_ts else {}
    for number in range(count):
        ts = f"{begin + number / 1000:.6f}"
        said = {"channel": ROOM, "ts": ts, "user": ALICE, "text": "hello", "blocks": [], **reply}
        world.slack.messages.append(said)
    world.clock.forward(seconds=count / 1000 + 2)


def lose_redis(world: World) -> None:
    """Have the store know only what the route says."""
    del world.memory.shows[ID], world.memory.streams[ID]
    world.memory.put(entry_of(ID), REBUILT)


def cards(world: World) -> list[str]:
    return [message["ts"] for message in world.slack.cards() if message["blocks"]]


def pages(world: World) -> int:
    """Count the pages that were asked for since the card was posted, before which the board looks once."""
    return world.slack.count("conversations.history") - 1


def bring(world: World, *, rounds: int) -> None:
    for _ in range(rounds):
        world.round(seconds=1)


@pytest.mark.parametrize("messages", [0, 199, 2_600, 12_000])
def test_no_second_card_is_posted_in_a_busy_channel_after_redis_was_lost(world: World, messages: int) -> None:
    ts = world.shown.ts
    chatter(world, messages)
    lose_redis(world)
    bring(world, rounds=130)
    assert (cards(world), world.shown.ts, world.shown.doubt, world.memory.order) == ([ts], ts, None, [])
    assert {what: count for (what, _), count in world.slack.faults.hit.items() if what == "too fast"} == {}


def test_a_search_lets_others_have_their_turn(world: World) -> None:
    chatter(world, 2_600)
    lose_redis(world)
    world.memory.put(entry_of("r-other"))
    world.round()
    assert (pages(world), len(cards(world))) == (20, 1)  # ten pages for each
    bring(world, rounds=2)
    assert (pages(world), len(cards(world))) == (28, 2)


@pytest.mark.parametrize("fault", ["500", "429", "lost"])
def test_a_search_goes_on_where_slack_failed(world: World, fault: str) -> None:
    chatter(world, 4_200)
    lose_redis(world)
    world.round()
    world.slack.faults.next("conversations.history", fault)
    bring(world, rounds=60)
    assert (len(cards(world)), world.memory.order) == (1, [])
    assert pages(world) == 23  # 22 pages, and the one that failed


def test_a_search_whose_place_slack_has_forgotten_begins_again(world: World) -> None:
    chatter(world, 2_600)
    lose_redis(world)
    world.round()
    world.slack.faults.next("conversations.history", "invalid_cursor")
    bring(world, rounds=5)
    assert (len(cards(world)), world.memory.order) == (1, [])
    assert pages(world) == 10 + 1 + 14


def test_a_thread_with_thousands_of_other_replies_tells_nothing_twice(world: World) -> None:
    ts = world.shown.ts
    chatter(world, 1_000, thread_ts=ts)
    world.memory.put(entry_of(ID), STARTED)
    world.round(seconds=5)
    chatter(world, 2_500, thread_ts=ts)
    world.memory.put(entry_of(ID), STARTED)
    world.round(seconds=5)
    lose_redis(world)
    bring(world, rounds=10)
    told = [reply["blocks"][0]["block_id"] for reply in world.slack.thread(ts) if reply["blocks"]]
    assert told == [f"event:{ID}:{place}-{place}" for place in range(1, 5)]


def test_a_search_that_nobody_needs_any_more_is_forgotten(world: World) -> None:
    chatter(world, 2_600)
    lose_redis(world)
    world.round()
    world.memory.order.remove(ID)
    world.round(seconds=1)
    world.memory.put(entry_of(ID))
    bring(world, rounds=5)
    assert pages(world) == 10 + 14
