"""Whether the new pool serves the models of the old one, asked of the model servers by `check`."""

from collections.abc import Iterator

import pytest

from bot.domain.check import Grade
from bot.domain.commands.request import StartWords
from sandbox.breaking import break_world, mend
from sandbox.kube import Kube
from sandbox.robot import Robot
from sandbox.world import CANARY, STABLE, World
from tests.builders import ALICE
from tests.serving import a_serving_world
from tests.stage import Stage

MODEL, OTHER = "meta-llama/Llama-3.1-8B-Instruct", "Qwen/Qwen3-8B"
LACKS = (
    f"`{CANARY}` does not serve `{MODEL}`, which `{STABLE}` serves: such requests would fail there. Serve the same "
    "models, or map their names with an InferenceModelRewrite."
)


@pytest.fixture
def world(kube: Kube, namespace: str, robot: Robot) -> Iterator[World]:
    """Return the guide's world, whose model servers answer."""
    with a_serving_world(kube, namespace) as serving:
        yield serving


def said(stage: Stage, grade: Grade) -> list[str]:
    request = stage.request("check", by=ALICE, start=StartWords(weight=10))
    report = stage.engine.answer(request, "/rollout").report
    assert report is not None
    return [line.text for line in report.of(grade) if line.topic == "Pools"]


def test_the_same_models_are_named_and_a_model_that_the_new_pool_lacks_is_a_warning(stage: Stage) -> None:
    assert said(stage, Grade.PASS)[-1] == f"`{CANARY}` serves `{MODEL}`."
    break_world(stage.world, "models")
    assert said(stage, Grade.WARN) == [LACKS]
    rollout_id = stage.start(10).rollout.id
    assert [event.reason for event in stage.store.events(rollout_id, 0) if event.kind.value == "warned"] == [LACKS]
    mend(stage.world)
    assert said(stage, Grade.WARN) == []
