import gc
from collections import Counter
from dataclasses import replace

import pytest

from bot.domain.rollout import Entry, Phase
from handlers.board.card_state import CardState
from sandbox.strict_slack import StrictSlack
from tests.handlers.board.board_world import World, entry_of
from tests.handlers.fakes import moved


@pytest.fixture
def world(slack: StrictSlack) -> World:
    return World(slack)


def test_progress_of_one_card_rests_three_seconds_but_a_change_of_state_goes_at_once(world: World) -> None:
    entry = entry_of("r-7f3a2c01")
    world.memory.put(entry)
    world.round()
    world.memory.put(replace(entry, readiness=None))
    world.round(seconds=1)
    assert world.slack.count("chat.update") == 0
    world.memory.put(moved(entry, phase=Phase.PAUSED, turn=5))
    world.round()
    assert world.slack.count("chat.update") == 1


def test_a_card_that_waits_for_its_channel_is_not_drawn_until_then_unless_it_changes(world: World) -> None:
    entries = [entry_of(f"r-{number:08}") for number in range(10)]
    for entry in entries:
        world.memory.put(entry)
    world.round()
    drawn = world.memory.loads.copy()
    world.round()
    assert world.memory.loads == drawn
    world.memory.put(moved(entries[-1], phase=Phase.PAUSED, turn=5))
    world.round()
    assert world.memory.loads - drawn == Counter([entries[-1].rollout.id])
    assert world.slack.count("chat.postMessage") == 2
    world.round(seconds=1)
    assert world.slack.count("chat.postMessage") == 3


def test_a_channel_that_slack_slows_down_costs_one_drawing_for_each_answer_of_slack(world: World) -> None:
    for number in range(30):
        world.memory.put(entry_of(f"r-{number:08}"))
    slow = world.slack.faults.begin("429", method="chat.postMessage", retry_after=30)
    world.round()
    drawn = world.memory.loads.copy()
    for _ in range(3):
        world.round(seconds=31)
    assert (world.memory.loads - drawn).total() == 3
    assert world.slack.faults.hit == {("429", "chat.postMessage"): 4}
    world.slack.faults.lift(slow)
    world.memory.put(entry_of("r-9needed0"), place=0)
    world.round(seconds=31)
    assert [card["blocks"][0]["block_id"] for card in world.slack.cards()] == [
        "card:r-9needed0:1.3",
        "card:r-00000000:1.3",
    ]


def test_a_card_that_waits_is_not_kept_in_memory(world: World) -> None:
    for number in range(30):
        world.memory.put(entry_of(f"r-{number:08}"))
    world.round()
    gc.collect()
    assert [kept for kept in gc.get_objects() if isinstance(kept, CardState)] == []


def test_cards_that_wait_for_the_budget_of_edits_are_not_drawn_until_there_is_one(world: World) -> None:
    entries = crowd(world)
    for entry in entries:
        world.memory.put(moved(entry, turn=5))
    world.round(seconds=5)
    assert world.slack.count("chat.update") == 30
    drawn = world.memory.loads.copy()
    world.round(seconds=59)
    assert (world.memory.loads - drawn).total() == 0
    world.round(seconds=1)
    assert (world.slack.count("chat.update"), (world.memory.loads - drawn).total()) == (35, 5)


def test_edits_stay_below_forty_a_minute_and_some_are_kept_for_what_matters_more(world: World) -> None:
    entries = crowd(world)
    for entry in entries:
        world.memory.put(replace(entry, readiness=None))
    world.round(seconds=5)
    assert world.slack.count("chat.update") == 20
    for entry in entries:
        world.memory.put(moved(entry, turn=5))
    world.round(seconds=5)
    assert world.slack.count("chat.update") == 30
    for entry in entries:
        world.memory.put(moved(entry, phase=Phase.PAUSED, turn=6))
    world.round(seconds=5)
    assert world.slack.count("chat.update") == 40
    world.round(seconds=61)
    assert world.slack.count("chat.update") == 65


def test_some_reads_of_history_are_kept_for_new_cards_and_for_those_that_ask(world: World) -> None:
    world.clock.forward(minutes=2)
    for number in range(50):
        world.memory.put(entry_of(f"r-{number:08}", channel=f"C{number:09}"))
        world.slack.channels[f"C{number:09}"] = {"is_member": True}
    world.round()
    assert world.slack.count("chat.postMessage") == 30
    world.memory.put(moved(entry_of("r-9new0000"), started_at=world.clock.now()))
    world.round(seconds=1)
    world.memory.put(moved(entry_of("r-9asks000"), phase=Phase.AWAITING_APPROVAL))
    world.round(seconds=1)
    assert world.slack.count("chat.postMessage") == 32


def test_a_read_of_history_that_slack_refuses_costs_nothing_of_the_budget(world: World) -> None:
    slow = world.slack.faults.begin("429", method="conversations.history", retry_after=1)
    world.memory.put(entry_of("r-00000000"))
    for _ in range(40):
        world.round(seconds=1)
    assert world.slack.faults.hit == {("429", "conversations.history"): 40}
    world.slack.faults.lift(slow)
    world.round(seconds=1)
    assert world.slack.count("chat.postMessage") == 1


def test_a_card_waits_no_longer_for_edits_that_slack_did_not_answer(world: World) -> None:
    entries = crowd(world)
    away = world.slack.faults.begin("500", method="chat.update")
    for entry in entries:
        world.memory.put(moved(entry, phase=Phase.PAUSED, turn=6))
    world.round(seconds=5)
    world.slack.faults.lift(away)
    world.round(seconds=10)
    assert world.memory.order == []


def crowd(world: World) -> list[Entry]:
    """Return rollouts with a card, each in a channel of its own."""
    entries = [entry_of(f"r-{number:08}", channel=f"C{number:09}") for number in range(35)]
    for entry in entries:
        world.slack.channels[entry.rollout.channel] = {"is_member": True}
        world.memory.put(entry)
    world.round()
    world.round(seconds=61)
    return entries
