"""`compare` and the gate `quality`: both pools answer, three people vote in the thread, and the rollout goes by it."""

from collections.abc import Sequence
from typing import Any

import pytest

from bot.domain.comparison import COMPARE, Comparison, slot_of
from sandbox.dataplane.plane import NAMESPACE, Plane
from sandbox.kube import path_of
from sandbox.objects import GATEWAY_API
from sandbox.world import CANARY, STABLE
from tests.builders import ALICE, BOB, CAROL
from tests.memory import a_memory
from tests.scenarios.play import Play
from tests.traffic.operating import OperationCard, RolloutCard

PEOPLE = (ALICE, BOB, CAROL)
POLICY: dict[str, Any] = {
    "plan": {"steps": [25, 100], "every": "1s", "bake": "1h"},
    "approvals": {"at": []},
    "compare": {"prompts": ["Why is the sky blue?", "And the sea?"], "tokens": 12},
    "gates": {"quality": {}},
}


def questions(play: Play) -> list[dict[str, Any]]:
    """Return the messages that put a question, in their order."""
    return [one for one in play.slack.messages() if "which answer is better?" in str(one.get("blocks"))]


def kept(play: Play) -> Comparison:
    """Return the comparison as it is stored: only that says which answer is whose."""
    memory = a_memory(play.redis_url)
    (entry,) = memory.store.entries()
    operation = memory.operations.last(slot_of(entry.rollout))
    assert operation is not None
    return Comparison.loads(operation.state["comparison"])


def vote(play: Play, user: str, choices: Sequence[str]) -> None:
    """Press a button of every question."""
    for question, choice in zip(questions(play), choices, strict=True):
        buttons = question["blocks"][-1]
        button = next(each for each in buttons["elements"] if each["action_id"] == f"operation_vote_{choice}")
        where = {"block_id": buttons["block_id"], "user": user}
        play.slack.press(question["ts"], button["action_id"], button["value"], **where)


def new_is(play: Play, better: bool) -> list[str]:
    """Return the choices of somebody who prefers the new pool's answers, or the old one's."""
    return [("a" if each.new_is_a is better else "b") for each in kept(play).questions]


@pytest.fixture
def asking(play: Play, plane: Plane) -> Play:
    """Return a play whose rollout waits for votes, with both questions in the thread."""
    play.bot(**POLICY)
    play.start(f"{CANARY} 25")
    play.until("both questions", lambda: len(questions(play)) == 2, seconds=40)
    RolloutCard(play).see("25 %, holding")
    return play


def test_three_people_vote_without_knowing_whose_answer_is_whose_and_the_rollout_goes_on(
    asking: Play, plane: Plane
) -> None:
    shown = str([one["blocks"] for one in questions(asking)])
    assert (CANARY in shown, STABLE in shown) == (False, False)
    routes = plane.kube.get(path_of(GATEWAY_API, "HTTPRoute", NAMESPACE))["items"]
    assert [one["metadata"]["name"] for one in routes] == ["llm-route"]
    for user in PEOPLE[:2]:
        vote(asking, user, new_is(asking, True))
    card = OperationCard(asking, f"{COMPARE} {CANARY}")
    card.says("2 of 3 people have answered every question")
    asking.until("an answer to a vote", lambda: any("Your vote on question 1: " in said for said in asking.private()))
    vote(asking, CAROL, ["same", "same"])
    card.see("done")
    RolloutCard(asking).see("100 %")
    said = "The new pool's answer was better in 4 votes, worse in 0, and the same in 2: 83 % for the new pool."
    asking.posts(said)
    asking.posts("83 % of 6 votes for the new pool")


def test_a_pool_whose_answers_people_find_worse_is_rolled_back(asking: Play, plane: Plane) -> None:
    for user in PEOPLE:
        vote(asking, user, new_is(asking, False))
    RolloutCard(asking).see("rolled back")
    plane.world.wait_observed()
    assert plane.world.weights() == [(STABLE, 1)]
    said = "The new pool's answer was better in 0 votes, worse in 6, and the same in 0: 0 % for the new pool."
    asking.until("the reason in the thread", lambda: said in RolloutCard(asking).thread())
