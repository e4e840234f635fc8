from collections import Counter
from dataclasses import replace

import pytest

from bot.domain.rollout import Phase
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


def test_edits_stay_below_forty_a_minute_and_progress_leaves_room(world: World) -> None:
    entries = [entry_of(f"r-{number:08}", channel=f"C{number:09}") for number in range(50)]
    world.slack.channels.update({entry.rollout.channel: {"is_member": True} for entry in entries})
    for entry in entries:
        world.memory.put(entry)
    world.round()
    for entry in entries:
        world.memory.put(replace(entry, readiness=None))
    world.round(seconds=5)
    assert world.slack.count("chat.update") == 30
    for entry in entries:
        world.memory.put(moved(entry, phase=Phase.PAUSED, turn=5))
    world.round(seconds=5)
    assert world.slack.count("chat.update") == 40
    world.round(seconds=61)
    assert world.slack.count("chat.update") == 80
