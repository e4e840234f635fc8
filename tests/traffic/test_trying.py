"""`try` on real traffic: the new pool alone before a start, and the weights while a rollout runs."""

import re
from typing import Any

import pytest

from bot.domain.sentences.trial import of_split
from bot.domain.trial import OfPool, Tally
from k8s.trial_route import OF_TRIAL
from sandbox.dataplane.live_world import behave
from sandbox.dataplane.plane import NAMESPACE, Plane
from sandbox.kube import path_of
from sandbox.load.ledger import shares
from sandbox.load.running import Load
from sandbox.model_servers import MODEL
from sandbox.objects import GATEWAY_API
from sandbox.world import CANARY, STABLE
from tests.builders import ALICE, CAROL
from tests.scenarios.play import Play

TRY = "try"
POLICY: dict[str, Any] = {"plan": {"steps": [25, 100], "every": "1h", "bake": "1h"}, "approvals": {"at": []}}


@pytest.fixture
def trying(play: Play) -> Play:
    """Return people whose rollouts stay at their first weight."""
    play.bot(**POLICY | {"try": {"rate": 100}})
    return play


def trial(play: Play, headword: str) -> list[str]:
    """Wait until the newest trial's card says so, and return what it says of its progress."""
    title = f"{TRY} {CANARY}  ·  {headword}"

    def found() -> list[dict[str, object]]:
        return [card for card in play.cards() if card["blocks"][0]["text"]["text"] == title]

    play.until(title, lambda: bool(found()), seconds=60)
    (progress,) = [block for block in found()[-1]["blocks"] if str(block["block_id"]).endswith(":progress")]  # type: ignore[attr-defined]
    return [line.removeprefix("• ") for line in str(progress["text"]["text"]).split("\n")]


def routes(plane: Plane) -> list[str]:
    return [one["metadata"]["name"] for one in plane.kube.get(path_of(GATEWAY_API, "HTTPRoute", NAMESPACE))["items"]]


def test_before_a_start_the_new_pool_is_asked_alone_and_its_route_is_removed(
    trying: Play, plane: Plane, users: Load
) -> None:
    before = plane.world.http_route()
    trying.say(f"{TRY} 20 {CANARY}", ALICE)
    route, model, of_new, last = trial(trying, "done")
    assert re.fullmatch(rf"HTTPRoute `try-o-[0-9a-f]{{8}}` sends only my own requests to `{CANARY}`\.", route)
    assert model == f"I ask for the model `{MODEL}`."
    assert re.match(rf"`{CANARY}`: 20 requests, p50 \d+ ms, p95 \d+ ms\. One answer: “", of_new)
    assert last == "20 requests sent, none failed. No user's request was touched."
    assert routes(plane) == ["llm-route"]
    assert plane.world.http_route()["spec"] == before["spec"]
    assert set(shares(users.stop())) == {STABLE}


def test_while_a_rollout_runs_it_says_whether_the_gateway_does_what_the_weights_say(trying: Play, plane: Plane) -> None:
    trying.start(f"{CANARY} 25")
    trying.see("25 %")
    plane.world.wait_observed()
    trying.say(f"{TRY} 40", CAROL)
    _, of_old, of_new, last = trial(trying, "done")
    old, new = (
        int(found[1]) for said in (of_old, of_new) if (found := re.match(r"`\S+`: (\d+) requests?, p50 ", said))
    )
    assert (old + new, 1 <= new <= 25) == (40, True)  # by chance, one run in 100,000 is outside
    sums = Tally(pools={STABLE: OfPool(times=(1,) * old), CANARY: OfPool(times=(1,) * new)})
    assert last == of_split(sums, STABLE, CANARY, 25)
    assert routes(plane) == ["llm-route"]


def test_a_step_is_tried_out_by_itself_where_the_policy_says_so(play: Play, plane: Plane) -> None:
    play.bot(**POLICY | {"try": {"rate": 100, "requests": 8, "after_steps": True}})
    play.start(f"{CANARY} 25")
    assert trial(play, "done")[-1].startswith("8 requests sent, none failed.")
    play.posts("after the step to 25 %")


def test_a_pool_that_fails_is_told_with_its_failures(trying: Play, plane: Plane) -> None:
    pods = plane.pods(CANARY)
    try:
        for pod in pods:
            behave(pod, fails=1)
        trying.say(f"{TRY} 8 {CANARY}", ALICE)
        _, _, of_new, last = trial(trying, "done")
    finally:
        for pod in pods:
            behave(pod, fails=0)
    assert of_new == f"`{CANARY}`: 8 requests, 8 failed (500: 8)."
    assert last == "8 requests sent, 8 failed (500: 8). No user's request was touched."
    assert routes(plane) == ["llm-route"]


def test_a_bot_that_is_killed_leaves_its_trial_to_the_next_one(trying: Play, plane: Plane) -> None:
    trying.say(f"{TRY} 60 {CANARY}", ALICE)
    trying.until("the trial's route", lambda: len(routes(plane)) == 2)
    trying.bots[0].server.kill()
    (made,) = [name for name in routes(plane) if name != "llm-route"]
    assert plane.kube.get(path_of(GATEWAY_API, "HTTPRoute", NAMESPACE, made))["metadata"]["labels"] == {
        OF_TRIAL: made.removeprefix("try-")
    }
    trying.bots[0].start()
    assert trial(trying, "done")[-1] == "60 requests sent, none failed. No user's request was touched."
    assert routes(plane) == ["llm-route"]
