"""`check` in Slack: what is said."""

from collections.abc import Callable

import pytest

from sandbox.breaking import break_world
from tests.builders import CANARY, STABLE
from tests.scenarios.front import Front
from tests.stage import Stage

LOOKING = "Looking … the answer comes here, within 10 s."


def test_in_slack_the_worst_comes_first(stage: Stage, open_slack: Callable[[], Front]) -> None:
    stage.world.set_servers_ready(CANARY, 0)
    stage.world.set_servers_ready(STABLE, 0)
    break_world(stage.world, "owner")
    stage.world.wait_observed()
    looking, said = open_slack().types(f"check {CANARY}")
    lacks = f"InferencePool `{stage.world.namespace}/{{}}` has no ready model server: 0 of 2 pods are Ready."
    label = "rollouts.argoproj.io/gatewayapi-canary"
    owned = f"HTTPRoute `{stage.world.namespace}/llm-route` is managed by Argo Rollouts (label `{label}`)."
    assert (looking, said.split("\n")[:4]) == (
        LOOKING,
        [
            f"*A rollout of `{CANARY}` cannot start:* 1 thing stops it, 2 warnings.",
            f"⛔ *stop*  Owners: {owned} Wait for its rollout to end, or take the route out of it.",
            f"⚠️ *warn*  Pools: {lacks.format(CANARY)} No weight moves until that is fixed: the rollout holds, and "
            "pauses after 30 minutes.",
            f"⚠️ *warn*  Pools: A roll back would not help now: {lacks.format(STABLE)}",
        ],
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("check", "`check` needs a pool. Usage: `/rollout check POOL [WEIGHT]"),
        (f"check {CANARY} ten", "`ten` is not a weight"),
        (f"check {CANARY} 10 more", "`more` is one word too many. Usage"),
        (f"check {CANARY} steps=10", "`steps` is not a key of `check`."),
    ],
)
def test_odd_words_are_answered_at_once(open_slack: Callable[[], Front], words: str, said: str) -> None:
    assert said in open_slack().acknowledged(words)
