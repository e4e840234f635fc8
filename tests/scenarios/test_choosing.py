"""Choosing one of several rollouts in Slack: the list is private, and its buttons do what they say and no more."""

from collections.abc import Iterator
from typing import Any, NoReturn

import pytest

from bot.domain.errors import StoreError
from bot.domain.rollout import Phase
from sandbox.objects import pool_ref
from sandbox.strict_slack import strict_slack
from tests.builders import BOB, CANARY, STABLE
from tests.scenarios.front import ROOM, Front
from tests.stage import Stage

OUTER, INNER = "llm-route", "chat-batch-route"
AT_10, BEFORE = [(STABLE, 90), (CANARY, 10)], [(STABLE, 1)]


@pytest.fixture
def front(stage: Stage) -> Iterator[Front]:
    """Return a front where one pool is rolled out on two routes."""
    stage.world.add_route(INNER, [pool_ref(STABLE)], path="/internal")
    for route in (OUTER, INNER):
        stage.start(10, route=route)
        stage.world.wait_observed(route)
        stage.pass_time(seconds=1)
    with strict_slack() as slack:
        front = Front(stage, slack)
        yield front
        front.handlers.close()


def weights(front: Front) -> list[list[tuple[str, int]]]:
    return [front.stage.world.weights(route) for route in (OUTER, INNER)]


def away() -> NoReturn:
    raise StoreError("Redis does not answer.")


def listed(front: Front) -> dict[str, dict[str, Any]]:
    """Return the blocks of the last private list, by the route that each names."""
    blocks = front.slack.private[-1]["blocks"]
    return {route: block for route in (OUTER, INNER) for block in blocks if f"/{route}`" in block["text"]["text"]}


def press(front: Front, block: dict[str, Any], **changed: str) -> list[str]:
    """Press a button of a private list; ``changed`` is what somebody has forged."""
    button = {**block["accessory"], **changed}
    return Front(front.stage, front.slack).presses_in_list(button, block["block_id"])


def phases(front: Front) -> dict[str, Phase]:
    return {entry.rollout.route: entry.rollout.phase for entry in front.stage.store.in_channel(ROOM)}


@pytest.mark.parametrize("text", [f"rollback {CANARY}", "rollback", "rollback p99 doubled", "rollback route=public"])
def test_each_has_a_button_that_rolls_back_it_alone(front: Front, text: str) -> None:
    front.types(text)
    assert weights(front) == [AT_10, AT_10]
    press(front, listed(front)[INNER])
    assert (weights(front), phases(front)) == ([AT_10, BEFORE], {OUTER: Phase.PROGRESSING, INNER: Phase.ROLLED_BACK})


@pytest.mark.parametrize("text", [f"rollback {CANARY}", "rollback", "rollback route=public"])
def test_so_it_is_while_redis_is_away(front: Front, text: str) -> None:
    front.stage.memory.always("receive", away)
    front.types(text)
    assert weights(front) == [AT_10, AT_10]
    press(front, listed(front)[INNER])
    assert weights(front) == [AT_10, BEFORE]


@pytest.mark.parametrize("text", [f"pause {CANARY}", "pause p99"])
def test_so_has_another_verb(front: Front, text: str) -> None:
    front.types(text)
    press(front, listed(front)[INNER])
    assert (weights(front), phases(front)) == ([AT_10, AT_10], {OUTER: Phase.PROGRESSING, INNER: Phase.PAUSED})


def test_a_roll_back_from_the_list_is_answered_because_no_card_is_in_sight(front: Front) -> None:
    front.types("rollback")
    block, done = (
        listed(front)[OUTER],
        f"Done: `{CANARY}` is rolled back and all traffic goes to `{STABLE}` again. Its card is in <#{ROOM}>.",
    )
    assert [press(front, block)[-1] for _ in range(2)] == [done, done]
    assert weights(front) == [BEFORE, AT_10]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ('{"id":"r-0123abcd","turn":1}', "There is no rollout of `r-0123abcd`."),
        (f'{{"id":"{CANARY}","turn":1}}', "I cannot read this button."),
        ('{"id":"","turn":1}', "I cannot read this button."),
        ("chat-v2", "I cannot read this button."),
    ],
)
def test_a_forged_button_rolls_back_nothing(front: Front, value: str, said: str) -> None:
    front.types("rollback")
    assert press(front, listed(front)[OUTER], value=value)[-1].startswith(said)
    assert weights(front) == [AT_10, AT_10]


def test_a_question_that_names_neither_lists_both_in_its_answer(front: Front) -> None:
    front.types("why")
    assert [block["accessory"]["text"]["text"] for block in listed(front).values()] == ["Why?", "Why?"]
    said = press(front, listed(front)[INNER])[-1]
    assert said.startswith(f"`{CANARY}`: It waits at 10 % before 25 %")
    assert BOB not in said
