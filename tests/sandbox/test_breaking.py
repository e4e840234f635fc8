"""Each way to break a sandbox is seen by `check`, and mended again."""

from collections.abc import Iterator

import pytest

from bot.domain.check import Grade, Report
from bot.domain.commands.request import StartWords
from sandbox.breaking import WAYS, break_world, mend
from sandbox.kube import Kube
from sandbox.robot import Robot
from sandbox.world import World
from tests.builders import ALICE
from tests.serving import a_serving_world
from tests.stage import Stage

SEEN = {
    "servers": (Grade.WARN, "0 of 2 pods are Ready"),
    "picker": (Grade.WARN, "no ready endpoint"),
    "port": (Grade.WARN, "has no port 8000"),
    "roles": (Grade.WARN, "decode 0"),
    "owner": (Grade.STOP, "Argo Rollouts"),
    "second": (Grade.WARN, "`default/second-route` also sends"),
    "models": (Grade.WARN, "does not serve"),
    "old": (Grade.WARN, "A roll back would not help now"),
}


def check(stage: Stage) -> Report:
    stage.world.wait_observed()
    words = StartWords(weight=0, route=stage.world.route)
    report = stage.engine.answer(stage.request("check", by=ALICE, start=words), "/rollout").report
    assert report is not None
    return report


@pytest.fixture
def world(kube: Kube, namespace: str, robot: Robot) -> Iterator[World]:
    """Return the guide's world, whose model servers answer."""
    with a_serving_world(kube, namespace) as serving:
        yield serving


@pytest.mark.parametrize("way", sorted(WAYS))
def test_check_sees_what_is_broken_and_that_it_is_mended(stage: Stage, way: str) -> None:
    break_world(stage.world, way)
    grade, words = SEEN[way]
    (line,) = check(stage).of(grade)
    assert words.replace("default/", f"{stage.world.namespace}/") in line.text
    mend(stage.world)
    assert check(stage).grade is Grade.PASS
