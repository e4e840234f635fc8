"""Each line of `check` that depends on who controls the route or the Gateway, from objects on a real API server."""

from typing import Any

import pytest

from bot.domain.check import Grade
from sandbox.kube import path_of
from sandbox.objects import GATEWAY_API
from tests.bot.engine.test_check import found, look
from tests.builders import CANARY
from tests.stage import Stage

SPLIT = "Use a gateway that splits between pools."


@pytest.mark.parametrize(
    ("controller", "said"),
    [
        (
            "gateway.envoyproxy.io/gatewayclass-controller",
            f"Envoy Gateway takes only one InferencePool in a rule. {SPLIT}",
        ),
        (
            "volcano.sh/kthena-router",
            f"Kthena sends everything to the first pool of a rule, whatever the weights say. {SPLIT}",
        ),
        (
            "kgateway.dev/kgateway",
            "kgateway answers 503 where two InferencePools share a rule. Use its successor, agentgateway.",
        ),
    ],
)
def test_a_gateway_that_does_not_split_stops_it(stage: Stage, controller: str, said: str) -> None:
    kube, namespace = stage.world.kube, stage.world.namespace
    name = f"{namespace}-{controller.split('.')[0]}"
    about: dict[str, Any] = {"apiVersion": GATEWAY_API, "kind": "GatewayClass", "metadata": {"name": name}}
    kube.create({**about, "spec": {"controllerName": controller}})
    try:
        path = path_of(GATEWAY_API, "Gateway", namespace, stage.world.gateway)
        kube.merge(path, {"spec": {"gatewayClassName": name}})
        assert ("Gateway", said) in found(look(stage), Grade.STOP)
    finally:
        kube.delete(path_of(GATEWAY_API, "GatewayClass", "", name))


@pytest.mark.parametrize(
    ("api", "kind", "tool", "way_out"),
    [
        ("serving.kserve.io/v1alpha1", "LLMInferenceService", "KServe", "Set the weights there"),
        ("serving.kserve.io/v1beta1", "InferenceService", "KServe", "Roll out with KServe"),
        ("flagger.app/v1beta1", "Canary", "Flagger", "Roll out with Flagger"),
        ("aigateway.envoyproxy.io/v1alpha1", "AIGatewayRoute", "Envoy AI Gateway", "Set the weights there"),
    ],
)
def test_a_controller_that_makes_the_route_stops_it(stage: Stage, api: str, kind: str, tool: str, way_out: str) -> None:
    owner = {"apiVersion": api, "kind": kind, "name": "chat", "uid": "7a0c3b1e", "controller": True}
    stage.world.edit({"metadata": {"ownerReferences": [owner]}})
    route = f"HTTPRoute `{stage.world.namespace}/llm-route`"
    assert found(look(stage), Grade.STOP) == [
        (
            "Owners",
            f"{route} is owned by {tool} ({kind} `{stage.world.namespace}/chat`), which writes its weights. {way_out}, "
            f"or give the bot a route that {tool} does not own.",
        )
    ]
    with pytest.raises(Exception, match=f"is owned by {tool}"):
        stage.start(10)
    assert [name for name, _ in stage.world.weights()] == [name for name, _ in stage.world.weights() if name != CANARY]


def test_argo_rollouts_that_has_the_route_stops_it(stage: Stage) -> None:
    stage.world.edit({"metadata": {"labels": {"rollouts.argoproj.io/gatewayapi-canary": "in-progress"}}})
    route = f"HTTPRoute `{stage.world.namespace}/llm-route`"
    assert found(look(stage), Grade.STOP) == [
        (
            "Owners",
            f"{route} is managed by Argo Rollouts (label `rollouts.argoproj.io/gatewayapi-canary`). "
            "Wait for its rollout to end, or take the route out of it.",
        )
    ]
