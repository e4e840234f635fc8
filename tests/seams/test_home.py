"""The home tab that everybody sees: what rolls out, how to begin; for people who may not read, a greeting."""

from collections.abc import Callable
from typing import Any

import pytest

from bot.domain.rollout import Pool
from handlers.views.home import GREETING
from handlers.views.place import Place
from handlers.views.running import RUNNING
from handlers.views.view import Opening
from sandbox.strict_slack.block_kit import view_faults
from tests.builders import ALICE, BOB, CANARY, IN_CHANNEL
from tests.handlers.fakes import FakeEngine
from tests.handlers.records import ROOM, a_rollout, an_entry
from tests.scenarios.front import Front
from tests.stage import Stage

BEGIN = "To begin one, type `/rollout start POOL WEIGHT` in a channel that I am in. `/rollout help` lists everything."


def texts(view: dict[str, Any]) -> list[str]:
    return [block["text"]["text"] for block in view["blocks"]]


def test_it_lists_what_is_under_way(stage: Stage, open_slack: Callable[[], Front]) -> None:
    front = open_slack()
    assert texts(front.opens_home(BOB)) == ["Rollouts", "No rollout is under way.", BEGIN]
    stage.started(10)
    line = f"`{CANARY}`  10 %  ·  `{stage.world.namespace}/{stage.world.route}`  ·  <#{ROOM}>"
    assert texts(front.opens_home(BOB)) == ["Rollouts", line, BEGIN]


@pytest.mark.parametrize("fact", ["is_restricted", "is_ultra_restricted", "is_bot", "deleted"])
def test_who_may_not_read_sees_a_greeting(stage: Stage, open_slack: Callable[[], Front], fact: str) -> None:
    stage.started(10)
    front = open_slack()
    front.slack.users[BOB] = {**front.slack.users[BOB], fact: True}
    assert texts(front.opens_home(BOB)) == [str(GREETING)]


def test_many_rollouts_with_the_longest_names_fit() -> None:
    engine = FakeEngine()
    long = a_rollout(canary=Pool("default", "a" * 253), channel="C" * 400)
    engine.known = [an_entry(long)] * 300
    opening = Opening(by=ALICE, place=Place(origin=IN_CHANNEL), rollouts=engine)
    assert (
        view_faults({"type": "home", "callback_id": "running", "private_metadata": "", **RUNNING.draw(opening)}) == []
    )
