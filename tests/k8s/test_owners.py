"""Who else writes to a route: refused or warned of, by name."""

from typing import Any

import pytest

from bot.domain.errors import RouteError
from k8s.owners import refuse_owned, warnings
from tests.k8s.build import a_ref, a_route, a_rule


def a_route_with(**metadata: Any) -> dict[str, Any]:
    return a_route(a_rule(a_ref("llama")), **metadata)


@pytest.mark.parametrize(
    ("metadata", "text"),
    [
        (
            {"ownerReferences": [{"kind": "LLMInferenceService", "name": "llama"}]},
            "HTTPRoute `default/llm-route` is owned by KServe (LLMInferenceService `llama`), which writes its weights. "
            "Roll out with KServe, or give the bot a route that KServe does not own.",
        ),
        (
            {"ownerReferences": [{"kind": "Gateway"}, {"kind": "InferenceService", "name": "x"}]},
            "HTTPRoute `default/llm-route` is owned by KServe (InferenceService `x`), which writes its weights. "
            "Roll out with KServe, or give the bot a route that KServe does not own.",
        ),
        (
            {"ownerReferences": [{"kind": "Canary", "name": "x"}]},
            "HTTPRoute `default/llm-route` is owned by Flagger (Canary `x`), which writes its weights. "
            "Roll out with Flagger, or give the bot a route that Flagger does not own.",
        ),
        (
            {"labels": {"rollouts.argoproj.io/gatewayapi-canary": "in-progress"}},
            "HTTPRoute `default/llm-route` is managed by Argo Rollouts "
            "(label `rollouts.argoproj.io/gatewayapi-canary`). "
            "Wait for its rollout to end, or take the route out of it.",
        ),
    ],
)
def test_routes_of_other_controllers_are_refused_by_name(metadata: dict[str, Any], text: str) -> None:
    with pytest.raises(RouteError) as caught:
        refuse_owned(a_route_with(**metadata))
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("metadata", "texts"),
    [
        ({}, []),
        ({"annotations": {"team": "llm"}, "labels": {"app": "x"}}, []),
        (
            {"annotations": {"argocd.argoproj.io/tracking-id": "llm:gateway.networking.k8s.io/HTTPRoute:a/b"}},
            [
                "Argo CD manages HTTPRoute `llm-route` and may put its weights back; add to the Application "
                "`ignoreDifferences: [{group: gateway.networking.k8s.io, kind: HTTPRoute, name: llm-route, "
                "jqPathExpressions: ['.spec.rules[].backendRefs']}]` and "
                "`syncOptions: [RespectIgnoreDifferences=true]`."
            ],
        ),
        (
            {"labels": {"kustomize.toolkit.fluxcd.io/name": "apps"}},
            [
                "Flux manages HTTPRoute `llm-route` and puts its weights back; set "
                "`kustomize.toolkit.fluxcd.io/reconcile: disabled` on the route until the rollout is over."
            ],
        ),
        (
            {
                "labels": {"helm.toolkit.fluxcd.io/name": "llm"},
                "annotations": {"meta.helm.sh/release-name": "llama"},
            },
            [
                "A Flux HelmRelease manages HTTPRoute `llm-route` and may put its weights back; add to the HelmRelease "
                "`driftDetection: {ignore: [{paths: [/spec/rules], target: {kind: HTTPRoute, name: llm-route}}]}`, "
                "and do not upgrade the release before the rollout is over.",
                "HTTPRoute `llm-route` belongs to the Helm release `llama`: `helm uninstall llama` deletes it, "
                "and a `helm upgrade` may put the weights back (Helm 3) or fails with a conflict (Helm 4).",
            ],
        ),
        (
            {"ownerReferences": [{"kind": "AIGatewayRoute", "name": "llm", "controller": True}, {"kind": "X"}]},
            ["HTTPRoute `llm-route` is made by AIGatewayRoute `llm`, whose controller may put the weights back."],
        ),
    ],
)
def test_deployment_tools_are_warned_of_with_the_rule_that_stops_them(
    metadata: dict[str, Any], texts: list[str]
) -> None:
    assert list(warnings(a_route_with(**metadata))) == texts
