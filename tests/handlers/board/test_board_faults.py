"""Whatever Slack does: one card, a thread that tells everything once and in order, and nobody else held up."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from bot.domain.events import Event, EventKind
from bot.domain.rollout import Phase
from bot.engine.store_port import Shown
from handlers.app import web_client
from handlers.board.board import Board
from handlers.board.lanes import LANES, BoardThread
from handlers.board.pace import EDITS
from handlers.board.rollout_topic import RolloutTopics
from handlers.slack import Slack
from sandbox.process import wait_until
from sandbox.slack import BOT_TOKEN, GENERAL
from sandbox.strict_slack import StrictSlack
from tests.builders import ALICE, NOON
from tests.handlers.board.board_world import World, entry_of
from tests.handlers.fakes import moved
from tests.handlers.records import ANYBODY, ROOM

ID = "r-7f3a2c01"
STARTED = Event(kind=EventKind.STARTED, at=NOON, by=ALICE, weight=10)
STEPPED = Event(kind=EventKind.STEPPED, at=NOON, weight=25)
PAUSED = Event(kind=EventKind.PAUSED, at=NOON, by=ALICE, weight=25)
RESUMED = Event(kind=EventKind.RESUMED, at=NOON, by=ALICE, weight=25)

FAULTS = ("429", "500", "500 after", "lost", "fatal_error")


@pytest.fixture
def world(slack: StrictSlack) -> World:
    return World(slack)


@pytest.fixture
def told(world: World) -> World:
    """A card that is shown, with one message in its thread."""
    world.memory.put(entry_of(ID), STARTED)
    world.round()
    return world


def settle(world: World) -> None:
    """Let a quarter of an hour pass, or less where everything is shown before."""
    for _ in range(60):
        world.round(seconds=15)
        if not world.memory.order:
            return
    raise AssertionError(f"{world.memory.order} are still behind")


def pause(world: World, turn: int = 5) -> None:
    world.memory.put(moved(entry_of(ID), phase=Phase.PAUSED, turn=turn), PAUSED)


def places(world: World) -> list[str]:
    """Return what the threads tell, in the order of the channel."""
    return [m["blocks"][0]["block_id"].rsplit(":", 1)[1] for m in world.slack.messages if "thread_ts" in m]


def assert_whole(world: World, *spans: str, cards: int = 1) -> None:
    assert len(world.slack.cards()) == cards
    assert world.shown.ts == world.slack.cards()[-1]["ts"]
    assert "paused" in world.slack.cards()[-1]["text"]
    assert places(world) == list(spans)


@pytest.mark.parametrize("kind", FAULTS)
@pytest.mark.parametrize("times", [1, 3])
def test_a_first_post_that_fails_becomes_one_card(world: World, kind: str, times: int) -> None:
    world.slack.faults.next("chat.postMessage", *[kind] * times)
    pause(world)
    settle(world)
    assert_whole(world, "1-1")


@pytest.mark.parametrize("kind", FAULTS)
def test_an_edit_that_fails_is_made_again(told: World, kind: str) -> None:
    told.slack.faults.next("chat.update", kind)
    pause(told)
    settle(told)
    assert_whole(told, "1-1", "2-2")


@pytest.mark.parametrize("kind", FAULTS)
def test_a_reply_that_fails_is_told_once_and_before_what_came_later(told: World, kind: str) -> None:
    told.slack.faults.next("chat.postMessage", kind)
    pause(told)
    told.round(seconds=1)
    told.memory.put(told.memory.entries[ID], RESUMED, PAUSED)
    settle(told)
    assert [place[0] for place in places(told)] == sorted(place[0] for place in places(told))
    assert places(told) in (["1-1", "2-2", "3-4"], ["1-1", "2-4"])
    assert told.shown.cursor == 4


@pytest.mark.parametrize("kind", FAULTS)
def test_a_double_that_cannot_be_taken_away_at_once_is_taken_away_later(told: World, kind: str) -> None:
    told.slack.add(ROOM, told.slack.cards()[0])
    told.memory.shows[ID] = replace(told.shown, ts="", claimed=NOON)
    told.slack.faults.next("chat.delete", kind)
    pause(told)
    settle(told)
    assert_whole(told, "1-1", "2-2")


@pytest.mark.parametrize("kind", FAULTS)
def test_a_look_for_a_lost_card_that_fails_is_taken_again(world: World, kind: str) -> None:
    world.memory.shows[ID] = Shown(channel=ROOM)
    world.slack.faults.next("chat.postMessage", "lost")
    world.slack.faults.next("conversations.history", kind)
    pause(world)
    settle(world)
    assert_whole(world, "1-1")


@pytest.mark.parametrize("kind", FAULTS)
def test_a_look_for_a_lost_reply_that_fails_is_taken_again(told: World, kind: str) -> None:
    told.slack.faults.next("chat.postMessage", "lost")
    told.slack.faults.next("conversations.replies", kind)
    pause(told)
    settle(told)
    assert_whole(told, "1-1", "2-2")


def test_a_card_that_a_person_deletes_is_posted_again_and_its_thread_goes_on(told: World) -> None:
    told.slack.remove(ROOM, told.shown.ts, ALICE)
    pause(told)
    settle(told)
    assert [card["blocks"][0]["block_id"] for card in told.slack.cards()[1:]] == [f"card:{ID}:2.3"]
    assert_whole(told, "1-1", "2-2", cards=2)  # the first one is only the stone over its thread


def test_a_thread_that_a_person_takes_away_is_not_told_again(told: World) -> None:
    for message in told.slack.thread(told.shown.ts):
        told.slack.remove(ROOM, message["ts"], ALICE)
    pause(told)
    settle(told)
    assert_whole(told, "2-2")


def test_a_card_and_its_whole_thread_that_a_person_takes_away_go_on_with_what_is_new(told: World) -> None:
    for message in [*told.slack.thread(told.shown.ts), *told.slack.cards()]:
        told.slack.remove(ROOM, message["ts"], ALICE)
    pause(told)
    settle(told)
    assert_whole(told, "2-2")


AWAY: dict[str, Callable[[StrictSlack], object]] = {
    "archived": lambda slack: slack.channels[ROOM].update(is_archived=True),
    "the bot was removed": lambda slack: slack.channels[ROOM].update(is_member=False),
    "the bot was removed from a private one": lambda slack: slack.channels[ROOM].update(
        is_member=False, is_private=True
    ),
    "not to be found": lambda slack: slack.channels.pop(ROOM),
}


@pytest.mark.parametrize("away", AWAY.values(), ids=AWAY)
@pytest.mark.parametrize("is_new", [True, False], ids=["before the card", "after it"])
def test_a_channel_that_was_away_catches_up(world: World, away: Callable[[StrictSlack], object], is_new: bool) -> None:
    if not is_new:
        world.memory.put(entry_of(ID), STARTED)
        world.round()
    away(world.slack)
    for event in (STEPPED, RESUMED):
        world.memory.put(entry_of(ID), event)
        world.round(minutes=10)
    world.slack.channels[ROOM] = {"is_member": True}
    pause(world)
    settle(world)
    assert_whole(world, *(["1-3"] if is_new else ["1-1", "2-4"]))


def test_a_channel_that_is_away_is_asked_now_and_then_however_many_cards_it_has(world: World) -> None:
    for number in range(EDITS + 10):
        world.memory.put(entry_of(f"r-{number:02}"))
        world.memory.shows[f"r-{number:02}"] = Shown(channel=ROOM, ts=f"{number}.000000", posts=1)
    world.slack.channels[ROOM]["is_archived"] = True
    for _ in range(60):
        world.round(seconds=1)
    assert world.slack.count("chat.update") < 8


def test_past_the_edit_window_the_card_is_posted_again_and_the_threads_tell_everything_once(told: World) -> None:
    told.slack.edit_window = 60
    told.round(minutes=2)
    told.memory.put(moved(entry_of(ID), phase=Phase.PROGRESSING, step=2, turn=5), STEPPED)
    settle(told)
    told.round(minutes=2)
    pause(told, turn=6)
    settle(told)
    assert_whole(told, "1-1", "2-2", "3-3", cards=3)
    assert [card["edits"] for card in told.slack.cards()] == [0, 0, 0]


def test_while_edits_have_to_wait_the_thread_goes_on(told: World) -> None:
    told.slack.faults.next("chat.update", "429", retry_after=60)
    pause(told)
    told.round(seconds=5)
    assert (places(told), told.slack.cards()[0]["edits"]) == (["1-1", "2-2"], 0)
    told.round(seconds=61)
    assert_whole(told, "1-1", "2-2")


def test_a_429_on_posts_in_one_channel_does_not_delay_edits_or_other_channels(told: World) -> None:
    told.slack.faults.begin("429", method="chat.postMessage", channel=ROOM, retry_after=600)
    pause(told)
    told.memory.put(entry_of("r-other", channel=GENERAL))
    told.round(seconds=5)
    assert ("paused" in told.slack.cards(ROOM)[0]["text"], len(told.slack.cards(GENERAL))) == (True, 1)
    assert places(told) == ["1-1"]


def test_many_cards_in_one_channel_are_posted_no_faster_than_slack_takes_them(world: World) -> None:
    world.slack.page = 200
    for number in range(10):
        world.memory.put(entry_of(f"r-{number}"), STARTED)
    for _ in range(25):
        world.round(seconds=1)
    assert (len(world.slack.cards()), len(places(world)), world.memory.order) == (10, 10, [])
    assert world.slack.faults.hit == {}


# --- a leader that froze, and another one meanwhile


def test_a_leader_that_froze_in_an_edit_does_not_turn_the_thread_back(told: World) -> None:
    further = replace(told.shown, cursor=2)
    told.during("chat.update", lambda: told.memory.shows.update({ID: further}))
    pause(told)
    settle(told)
    assert (places(told), told.shown.cursor) == (["1-1"], 2)


def test_a_leader_that_froze_in_a_reply_takes_it_back_where_the_other_has_told_the_same(told: World) -> None:
    def other() -> None:
        reply = told.slack.thread(told.shown.ts)[-1]
        told.slack.add(ROOM, {**reply, "reply_broadcast": reply["broadcast"]})
        told.memory.shows[ID] = replace(told.shown, cursor=2, thread_claimed=None)

    told.during("chat.postMessage", other)
    pause(told)
    settle(told)
    assert_whole(told, "1-1", "2-2")


def test_a_leader_that_froze_in_a_reply_leaves_it_where_the_other_has_found_it(told: World) -> None:
    found = replace(told.shown, cursor=2)
    told.during("chat.postMessage", lambda: told.memory.shows.update({ID: found}))
    pause(told)
    settle(told)
    assert_whole(told, "1-1", "2-2")


def test_a_frozen_leaders_reply_that_comes_after_another_one_has_looked_is_told_once(told: World) -> None:
    pause(told)
    told.memory.shows[ID] = replace(told.shown, thread_claimed=NOON)
    told.slack.faults.next("chat.postMessage", "429")
    told.round(seconds=60)  # it looks, finds nothing, and cannot post
    first = told.slack.thread(told.shown.ts)[-1]
    blocks = [{**block, "block_id": block["block_id"].replace(":1-1", ":2-2")} for block in first["blocks"]]
    told.slack.add(ROOM, {**first, "blocks": blocks, "reply_broadcast": False})
    settle(told)
    assert_whole(told, "1-1", "2-2")


# --- calls that hang


@pytest.fixture
def running(world: World) -> Iterator[BoardThread]:
    """A board that runs in its threads, on a Slack that is waited for longer than a test lasts."""
    client = web_client(BOT_TOKEN, base_url=world.slack.api_url, timeout=60)
    topics = RolloutTopics(world.memory.as_store(), world.memory, ANYBODY)
    world.board = Board(world.memory, topics, Slack(client))
    thread = BoardThread(world.board, world.clock, world.bell)
    thread.start()
    yield thread
    world.slack.faults.lift_all()
    thread.stop()


def test_channels_whose_calls_hang_hold_up_no_other(world: World, running: BoardThread) -> None:
    slack, hung = world.slack, [f"C{number:09}" for number in range(LANES - 1)]
    slack.channels.update({channel: {"is_member": True} for channel in hung})
    for channel in hung:
        slack.faults.begin("hang", channel=channel)
        world.memory.put(entry_of(f"r-{channel}", channel=channel))
    world.bell.ring()
    wait_until("all of them hang", lambda: sum(slack.faults.hit.values()) == len(hung), seconds=10)
    world.memory.put(entry_of(ID), STARTED)
    world.bell.ring()
    wait_until("the other's card and thread", lambda: len(slack.messages) == 2, seconds=10)
    assert [message["channel"] for message in slack.messages] == [ROOM, ROOM]
    assert sum(slack.faults.hit.values()) == len(hung)
