from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.events import Event, EventKind
from bot.domain.rollout import Phase
from bot.engine.store_port import Shown
from sandbox.strict_slack import StrictSlack
from tests.builders import ALICE, NOON
from tests.handlers.board.board_world import World, entry_of
from tests.handlers.fakes import moved
from tests.handlers.records import ROOM

STARTED = Event(kind=EventKind.STARTED, at=NOON, by=ALICE, weight=10)
STEPPED = Event(kind=EventKind.STEPPED, at=NOON, weight=25)
PAUSED = Event(kind=EventKind.PAUSED, at=NOON, by=ALICE, weight=25)


@pytest.fixture
def world(slack: StrictSlack) -> World:
    return World(slack)


def test_a_new_rollout_gets_its_card_first_and_then_its_thread(world: World) -> None:
    world.memory.put(entry_of("r-7f3a2c01"), STARTED, STEPPED)
    world.round()
    (card,) = world.slack.cards()
    (note,) = world.slack.thread(card["ts"])
    assert card["blocks"][0]["block_id"] == "card:r-7f3a2c01:1.3"
    assert note["blocks"][0]["block_id"] == "event:r-7f3a2c01:1-2"
    assert note["broadcast"] is False
    assert world.memory.order == []
    assert world.shown == Shown(channel=ROOM, ts=card["ts"], digest=world.shown.digest, posts=1, cursor=2)


def test_a_step_is_told_in_the_thread_only(world: World) -> None:
    world.memory.put(entry_of("r-7f3a2c01"), STEPPED)
    world.round()
    assert [m["broadcast"] for m in world.slack.thread(world.shown.ts)] == [False]


def test_a_changed_card_is_edited_in_place(world: World) -> None:
    entry = entry_of("r-7f3a2c01")
    world.memory.put(entry)
    world.round()
    world.memory.put(moved(entry, phase=Phase.PAUSED, turn=5), PAUSED)
    world.round()
    (card,) = world.slack.cards()
    assert card["edits"] == 1
    assert "paused" in card["text"]


def test_what_is_on_its_way_to_the_route_is_not_shown_as_missing(world: World) -> None:
    entry = entry_of("r-7f3a2c01")
    world.memory.put(entry)
    world.round()
    world.memory.put(
        replace(moved(entry, step=2, turn=5, decision="d4", decided_at=world.clock.now()), applied=entry.applied)
    )
    world.round()
    assert world.slack.cards()[0]["edits"] == 0
    world.round(seconds=1)
    assert "50 % is wanted. The route had 25 % when last seen" in world.slack.cards()[0]["text"]


def test_an_unchanged_card_is_not_sent(world: World) -> None:
    world.memory.put(entry_of("r-7f3a2c01"))
    world.round()
    world.memory.put(entry_of("r-7f3a2c01"))
    world.round(seconds=10)
    assert world.slack.count("chat.update") == 0
    assert world.memory.order == []


@pytest.mark.parametrize("trip", ["lost", "500"])
def test_a_post_whose_answer_is_lost_is_found_again_and_not_doubled(world: World, trip: str) -> None:
    world.slack.faults.next("chat.postMessage", trip)
    world.memory.put(entry_of("r-7f3a2c01"))
    world.round()
    assert (world.shown.ts, world.shown.claimed) == ("", NOON)
    world.round(seconds=2)
    assert world.slack.count("conversations.history") == 1  # not yet: it may still be on its way
    world.round(seconds=12)
    (card,) = world.slack.cards()
    assert world.shown.ts == card["ts"]


def test_a_post_that_never_arrived_is_posted_after_looking(world: World) -> None:
    world.memory.put(entry_of("r-7f3a2c01"))
    world.memory.shows["r-7f3a2c01"] = Shown(channel=ROOM, posts=1, claimed=NOON)
    world.round(seconds=12)
    (card,) = world.slack.cards()
    assert card["blocks"][0]["block_id"] == "card:r-7f3a2c01:2.3"


def test_a_crash_between_post_and_save_leaves_one_card(world: World) -> None:
    world.memory.put(entry_of("r-7f3a2c01"), STEPPED)
    world.round()
    world.memory.shows["r-7f3a2c01"] = replace(world.shown, ts="", digest="", claimed=NOON, cursor=0)
    world.memory.put(entry_of("r-7f3a2c01"))
    world.restart()
    world.round(seconds=12)
    assert len(world.slack.cards()) == 1


def test_a_thread_message_whose_answer_is_lost_is_not_doubled(world: World) -> None:
    world.memory.put(entry_of("r-7f3a2c01"))
    world.round()
    world.slack.faults.next("chat.postMessage", "lost")
    world.memory.put(entry_of("r-7f3a2c01"), STEPPED, PAUSED)
    world.round(seconds=5)
    assert world.shown.cursor == 0
    world.memory.streams["r-7f3a2c01"].append(STEPPED)
    world.round(seconds=12)
    notes = [m["blocks"][0]["block_id"] for m in world.slack.thread(world.shown.ts)]
    assert notes == ["event:r-7f3a2c01:1-2", "event:r-7f3a2c01:3-3"]
    assert world.shown.cursor == 3


def test_of_two_cards_the_oldest_is_kept(world: World) -> None:
    world.memory.put(entry_of("r-7f3a2c01"))
    world.round()
    first = world.shown.ts
    world.slack.add(ROOM, world.slack.messages[0])
    world.memory.shows["r-7f3a2c01"] = replace(world.shown, ts="", claimed=NOON)
    world.memory.put(entry_of("r-7f3a2c01"))
    world.round(seconds=12)
    assert [card["ts"] for card in world.slack.cards()] == [first]


def test_a_store_that_forgot_finds_the_card_again(world: World) -> None:
    world.memory.put(entry_of("r-7f3a2c01"))
    world.round()
    world.memory.shows.clear()
    world.memory.put(entry_of("r-7f3a2c01"))
    world.restart()
    world.round(seconds=5)
    assert len(world.slack.cards()) == 1
    assert world.shown.posts == 1


@pytest.mark.parametrize("gone", ["message_not_found", "edit_window_closed", "cant_update_message"])
def test_a_card_that_cannot_be_edited_is_posted_again_with_its_thread(world: World, gone: str) -> None:
    entry = entry_of("r-7f3a2c01")
    world.memory.put(entry)
    world.round()
    world.slack.faults.next("chat.update", gone)
    world.memory.put(moved(entry, phase=Phase.PAUSED, turn=5), PAUSED)
    world.round(seconds=5)
    newest = world.slack.cards()[-1]
    assert newest["blocks"][0]["block_id"] == "card:r-7f3a2c01:2.3"
    assert len(world.slack.thread(newest["ts"])) == 1


def test_a_thread_whose_card_was_deleted_gets_a_new_card(world: World) -> None:
    world.memory.put(entry_of("r-7f3a2c01"))
    world.round()
    world.slack.messages.clear()
    world.memory.put(entry_of("r-7f3a2c01"), STEPPED)
    world.round(seconds=5)
    world.round(seconds=5)
    (card,) = world.slack.cards()
    assert len(world.slack.thread(card["ts"])) == 1


def test_a_429_on_edits_does_not_delay_posts(world: World) -> None:
    entry = entry_of("r-7f3a2c01")
    world.memory.put(entry)
    world.round()
    world.slack.faults.next("chat.update", "429")
    world.memory.put(moved(entry, phase=Phase.PAUSED, turn=5))
    world.memory.put(entry_of("r-other"))
    world.round(seconds=5)
    assert len(world.slack.cards()) == 2
    world.round(seconds=20)
    assert world.slack.count("chat.update") == 1
    world.round(seconds=11)
    assert world.slack.count("chat.update") == 2
    assert world.memory.order == []


@pytest.mark.parametrize("facts", [None, {"is_archived": True}, {"is_member": False}])
def test_a_lost_channel_does_not_delay_others(world: World, facts: dict[str, bool] | None) -> None:
    world.slack.channels.update({"C0LOST0001": facts} if facts else {})
    world.memory.put(entry_of("r-lost", "C0LOST0001"))
    world.memory.put(entry_of("r-7f3a2c01"))
    world.round()
    assert [card["channel"] for card in world.slack.cards()] == [ROOM]
    assert world.memory.order == ["r-lost"]


def test_a_channel_that_comes_back_gets_its_card(world: World) -> None:
    world.memory.put(entry_of("r-7f3a2c01", "C0LATE0001"))
    world.round()
    world.slack.channels["C0LATE0001"] = {"is_member": True}
    world.round(minutes=2)
    assert len(world.slack.cards("C0LATE0001")) == 1


def test_cards_that_fail_again_and_again_hold_up_no_other_of_their_channel(world: World) -> None:
    world.slack.faults.begin("500", method="conversations.history")
    for failing in ("r-1", "r-2"):
        world.memory.put(entry_of(failing))
    world.round()
    world.round(seconds=2)
    world.memory.put(entry_of("r-7f3a2c01"))
    world.memory.shows["r-7f3a2c01"] = Shown(channel=ROOM)
    world.round(seconds=4)
    assert (world.memory.order, len(world.slack.cards())) == (["r-1", "r-2"], 1)
    world.slack.faults.lift_all()
    world.round(seconds=8)
    assert (world.memory.order, len(world.slack.cards())) == ([], 3)


def test_a_leader_that_froze_inside_its_post_takes_its_double_away(world: World) -> None:
    entry = entry_of("r-7f3a2c01")
    world.memory.put(entry)
    other = Shown(channel=ROOM, ts="1.000000", posts=2)
    world.during("chat.postMessage", lambda: world.memory.shows.update({"r-7f3a2c01": other}))
    world.round()
    assert world.slack.cards() == []
    assert world.shown == other


def test_a_change_while_the_board_posts_is_not_forgotten(world: World) -> None:
    entry = entry_of("r-7f3a2c01")
    world.memory.put(entry)
    world.during("chat.postMessage", lambda: world.memory.put(moved(entry, phase=Phase.PAUSED, turn=5)))
    world.round()
    assert world.memory.order == ["r-7f3a2c01"]
    world.round()
    assert "paused" in world.slack.cards()[0]["text"]


def test_a_claim_is_only_given_up_where_slack_clearly_said_no(world: World) -> None:
    world.slack.faults.next("chat.postMessage", "not_in_channel")
    world.memory.put(entry_of("r-7f3a2c01"))
    world.round()
    assert world.shown == Shown(channel=ROOM)
    assert world.clock.now() - NOON < timedelta(seconds=1)


def test_an_unreadable_record_stays_dirty_and_does_not_delay_others(world: World) -> None:
    world.memory.put(entry_of("r-newer"))
    world.memory.put(entry_of("r-7f3a2c01"))
    world.memory.unreadable = "r-newer"
    world.round()
    assert world.memory.order == ["r-newer"]
    assert len(world.slack.cards()) == 1
    world.memory.unreadable = ""
    world.round(minutes=2)
    assert world.memory.order == []
    assert len(world.slack.cards()) == 2


def test_a_rollout_without_a_channel_has_no_card(world: World) -> None:
    world.memory.put(entry_of("r-7f3a2c01", channel=""))
    world.round()
    assert (world.slack.calls, world.memory.order) == ([], [])
