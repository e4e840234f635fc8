"""Who else writes to a route: refused or warned of, by name."""

from typing import Any

import pytest

from bot.domain.check import Grade, fine
from k8s.owners import lines, owner_of
from tests.k8s.build import a_ref, a_route, a_rule

ARGO_CD = (
    "Argo CD manages HTTPRoute `llm-route` and may put its weights back; add to the Application "
    "`ignoreDifferences: [{group: gateway.networking.k8s.io, kind: HTTPRoute, name: llm-route, "
    "jqPathExpressions: ['.spec.rules[].backendRefs']}]` and "
    "`syncOptions: [RespectIgnoreDifferences=true]`."
)
FLUX = (
    "Flux manages HTTPRoute `llm-route` and puts its weights back; set "
    "`kustomize.toolkit.fluxcd.io/reconcile: disabled` on the route until the rollout is over."
)


def a_route_with(**metadata: Any) -> dict[str, Any]:
    return a_route(a_rule(a_ref("llama")), **metadata)


@pytest.mark.parametrize(
    ("metadata", "text"),
    [
        (
            {"ownerReferences": [{"kind": "LLMInferenceService", "name": "llama"}]},
            "HTTPRoute `default/llm-route` is owned by KServe (LLMInferenceService `default/llama`), which writes its "
            "weights. Set the weights there, or give the bot a route that KServe does not own.",
        ),
        (
            {"ownerReferences": [{"kind": "Gateway"}, {"kind": "InferenceService", "name": "x"}]},
            "HTTPRoute `default/llm-route` is owned by KServe (InferenceService `default/x`), which writes its "
            "weights. Roll out with KServe, or give the bot a route that KServe does not own.",
        ),
        (
            {"ownerReferences": [{"kind": "AIGatewayRoute", "name": "chat", "controller": True}]},
            "HTTPRoute `default/llm-route` is owned by Envoy AI Gateway (AIGatewayRoute `default/chat`), which writes "
            "its weights. Set the weights there, or give the bot a route that Envoy AI Gateway does not own.",
        ),
        (
            {"ownerReferences": [{"kind": "Canary", "name": "x"}]},
            "HTTPRoute `default/llm-route` is owned by Flagger (Canary `default/x`), which writes its weights. "
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
    route = a_route_with(**metadata)
    (line,) = lines(route)
    assert (line.grade, line.text, owner_of(route)) == (Grade.STOP, text, line.said)


@pytest.mark.parametrize(
    ("metadata", "texts"),
    [
        ({}, []),
        ({"annotations": {"team": "llm"}, "labels": {"app": "x"}}, []),
        (
            {"annotations": {"argocd.argoproj.io/tracking-id": "llm:gateway.networking.k8s.io/HTTPRoute:a/b"}},
            [ARGO_CD],
        ),
        ({"labels": {"kustomize.toolkit.fluxcd.io/name": "apps"}}, [FLUX]),
        ({"annotations": {"kustomize.toolkit.fluxcd.io/reconcile": "enabled"}}, [FLUX]),
        ({"annotations": {"kustomize.toolkit.fluxcd.io/ssa": "Merge"}}, [FLUX]),
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
            {"ownerReferences": [{"kind": "ModelRoute", "name": "llm", "controller": True}, {"kind": "X"}]},
            ["HTTPRoute `llm-route` is made by ModelRoute `llm`, whose controller may put the weights back."],
        ),
        (
            {"labels": {"app.kubernetes.io/instance": "llm"}, "managedFields": [{"manager": "argocd-controller"}]},
            [ARGO_CD],
        ),
        ({"labels": {"app.kubernetes.io/instance": "llm"}}, []),
        (
            {"managedFields": [{"manager": "kustomize-controller"}, {"manager": "rolloutbot"}]},
            [FLUX],
        ),
        (
            {"annotations": {"configmanagement.gke.io/managed": "enabled"}},
            [
                "Config Sync manages HTTPRoute `llm-route` and puts its weights back; set "
                "`client.lifecycle.config.k8s.io/mutation: ignore` on the route, in its source."
            ],
        ),
    ],
)
def test_deployment_tools_are_warned_of_with_the_rule_that_stops_them(
    metadata: dict[str, Any], texts: list[str]
) -> None:
    assert [line.text for line in lines(a_route_with(**metadata)) if line.grade is Grade.WARN] == texts


NO_FLUX = "Flux is told to leave HTTPRoute `llm-route` alone."
NO_SYNC = "Config Sync is told to leave HTTPRoute `llm-route` alone."


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ({}, "Nobody else is known to write to HTTPRoute `default/llm-route`."),
        ({"annotations": {"kustomize.toolkit.fluxcd.io/reconcile": "disabled"}}, NO_FLUX),
        ({"annotations": {"kustomize.toolkit.fluxcd.io/reconcile": "Disabled"}}, NO_FLUX),
        ({"labels": {"kustomize.toolkit.fluxcd.io/reconcile": "disabled"}}, NO_FLUX),
        ({"annotations": {"kustomize.toolkit.fluxcd.io/ssa": "Ignore"}}, NO_FLUX),
        ({"annotations": {"kustomize.toolkit.fluxcd.io/ssa": "IfNotPresent"}}, NO_FLUX),
        (
            {
                "labels": {"kustomize.toolkit.fluxcd.io/name": "apps"},
                "annotations": {"kustomize.toolkit.fluxcd.io/reconcile": "disabled"},
                "managedFields": [{"manager": "kustomize-controller"}],
            },
            NO_FLUX,
        ),
        (
            {
                "annotations": {
                    "configmanagement.gke.io/managed": "enabled",
                    "client.lifecycle.config.k8s.io/mutation": "ignore",
                }
            },
            NO_SYNC,
        ),
        ({"annotations": {"configmanagement.gke.io/managed": "disabled"}}, NO_SYNC),
    ],
)
def test_a_tool_that_was_told_to_stand_aside_is_no_warning(metadata: dict[str, Any], said: str) -> None:
    assert list(lines(a_route_with(**metadata))) == [fine("Owners", said)]
