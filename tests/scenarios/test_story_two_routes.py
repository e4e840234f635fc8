"""Two routes send to one pool: a roll back of its rollouts asks which one, and its button rolls back that one alone."""

from typing import Any

import pytest

from bot.domain.rollout import Phase
from sandbox.objects import pool_ref
from tests.builders import ALICE, BOB, CANARY, STABLE
from tests.memory import a_store
from tests.scenarios.play import Play

OUTER, INNER = "llm-route", "chat-batch-route"
AT_10, BEFORE = [(STABLE, 90), (CANARY, 10)], [(STABLE, 1)]


@pytest.fixture
def two(play: Play) -> Play:
    """Return a play in which Alice has begun to roll one pool out on both of its routes."""
    play.world.add_route(INNER, [pool_ref(STABLE)], path="/internal")
    play.bot()
    store = a_store(play.redis_url)

    def progressing() -> list[str]:
        phases = {entry.rollout.route: entry.rollout.phase for entry in store.entries()}
        return [route for route, phase in phases.items() if phase is Phase.PROGRESSING]

    play.start(f"{CANARY} 10 every=1h route={OUTER}")
    play.until("the first", lambda: progressing() == [OUTER])
    play.start(f"{CANARY} 10 every=1h route={INNER}")
    play.until("both, newest first", lambda: progressing() == [INNER, OUTER])
    return play


def choices(play: Play) -> list[dict[str, Any]]:
    """Return the private lists of rollouts, each as Slack has it."""
    return [one for one in play.slack.messages() if (one.get("blocks") or [{}])[0].get("block_id") == "choices"]


def press_in_list(play: Play, route: str, user: str = BOB) -> None:
    """Press the button of the last list that stands beside a route."""
    play.read()
    shown = choices(play)[-1]
    (block,) = [one for one in shown["blocks"] if f"{play.world.namespace}/{route}`" in one["text"]["text"]]
    button = block["accessory"]
    marks = {"block_id": block["block_id"], "user": user}
    play.slack.press(shown["ts"], button["action_id"], button["value"], **marks)


def weights(play: Play) -> list[list[tuple[str, int]]]:
    return [play.world.weights(route) for route in (OUTER, INNER)]


def test_a_roll_back_of_a_pool_on_two_routes_asks_which_and_the_button_of_one_rolls_back_that_one(two: Play) -> None:
    two.say(f"rollback {CANARY}")
    two.until("a list", lambda: len(choices(two)) == 1)
    (listed,) = choices(two)
    here = two.world.namespace
    assert listed["ephemeral_to"] == BOB
    assert [block["text"]["text"] for block in listed["blocks"]] == [
        f"`{CANARY}` has several rollouts. Which one do you mean?",
        *(
            f"`{CANARY}` on `{here}/{route}`\n*10 %* now  ·  progressing  ·  `rollback {CANARY} route={route}`"
            for route in (INNER, OUTER)
        ),
    ]
    assert weights(two) == [AT_10, AT_10]
    press_in_list(two, INNER)
    route = f"{two.world.namespace}/{INNER}"
    two.told(
        f"Done: `{CANARY}` is rolled back and all traffic of `{route}` goes to `{STABLE}` again. "
        "Its card is in <#C0INFER001>."
    )
    assert weights(two) == [AT_10, BEFORE]
    two.say(f"rollback {CANARY} route={OUTER} p99 doubled")
    two.until("the other roll back", lambda: weights(two) == [BEFORE, BEFORE])


def test_whoever_may_not_roll_back_presses_in_vain(two: Play) -> None:
    two.bots[0].server.kill()
    two.bot(access={"rollback": [ALICE]})
    two.say(f"rollback {CANARY}", ALICE)
    two.until("a list", lambda: len(choices(two)) == 1)
    press_in_list(two, INNER)
    two.told(f"You may not `rollback` here. Ask <@{ALICE}>.")
    assert weights(two) == [AT_10, AT_10]
