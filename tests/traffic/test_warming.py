"""`warm` and the gate `warm_up`: no weight before the new pool's time to the first token is flat."""

from typing import Any

import pytest

from sandbox.dataplane.live_world import behave
from sandbox.dataplane.plane import NAMESPACE, Plane
from sandbox.kube import path_of
from sandbox.load.ledger import shares
from sandbox.load.running import Load
from sandbox.objects import GATEWAY_API
from sandbox.world import CANARY, STABLE
from tests.builders import ALICE
from tests.scenarios.play import Play
from tests.traffic.operating import OperationCard, RolloutCard

POLICY: dict[str, Any] = {"plan": {"steps": [25, 100], "every": "1h", "bake": "1h"}, "approvals": {"at": []}}


@pytest.fixture
def card(play: Play) -> OperationCard:
    return OperationCard(play, f"warm {CANARY}")


def test_a_rollout_waits_for_its_warm_up_and_users_notice_nothing_of_that(
    play: Play, plane: Plane, users: Load, card: OperationCard
) -> None:
    play.bot(**POLICY, gates={"warm_up": {}})
    play.start(f"{CANARY} 25")
    card.see("done", seconds=60)
    play.posts("Warm after")
    RolloutCard(play).see("25 %", seconds=60)
    play.posts("warm, first token p90")
    routes = plane.kube.get(path_of(GATEWAY_API, "HTTPRoute", NAMESPACE))["items"]
    assert [one["metadata"]["name"] for one in routes] == ["llm-route"]


def test_a_pool_is_warmed_up_alone_before_a_start(play: Play, users: Load, card: OperationCard) -> None:
    play.bot(**POLICY)
    play.say(f"warm {CANARY}", ALICE)
    card.see("done", seconds=60)
    assert set(shares(users.stop())) == {STABLE}


def test_a_pool_that_fails_its_prompts_is_not_warm(play: Play, plane: Plane, card: OperationCard) -> None:
    play.bot(**POLICY)
    for pod in plane.world.servers(CANARY):
        behave(pod, fails=1.0)
    try:
        play.say(f"warm {CANARY}", ALICE)
        card.see("failed", seconds=90)
    finally:
        for pod in plane.world.servers(CANARY):
            behave(pod, fails=0.0)
    play.posts("4 of 4 prompts to the new pool got no good answer (500).")


def test_servers_that_come_later_are_warmed_up_too(play: Play, plane: Plane, card: OperationCard) -> None:
    play.bot(**POLICY, gates={"warm_up": {}})
    play.start(f"{CANARY} 25")
    RolloutCard(play).see("25 %", seconds=60)
    plane.scale(CANARY, 3)
    try:
        play.until("a second warm-up", lambda: len(play.cards()) == 3, seconds=60)
        card.see("done", seconds=60)
        play.posts("as new model servers have come")
    finally:
        plane.scale(CANARY, 2)
