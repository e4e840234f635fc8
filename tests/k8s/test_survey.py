"""The start, on the real API server: what is found, and what stands in the way."""

from dataclasses import replace
from typing import Any

import pytest

from bot.domain.check import Grade, Report
from bot.domain.commands.request import StartWords
from bot.domain.errors import RouteError
from bot.domain.rollout import Pool, Rule
from bot.engine.route_port import Survey
from k8s.cluster import Cluster
from sandbox import objects
from sandbox.gateway import Answer
from sandbox.kube import path_of
from sandbox.objects import POOL_API, picker_name, pool_ref
from sandbox.robot import Robot
from sandbox.world import CANARY, ROUTE, STABLE, World
from tests.k8s.build import NOW


def survey(cluster: Cluster, canary: str = CANARY, **words: Any) -> Survey:
    return cluster.survey(canary, StartWords(weight=10, **words))


def warnings(cluster: Cluster) -> tuple[str, ...]:
    return tuple(line.text for line in survey(cluster).report.of(Grade.WARN))


def stops(cluster: Cluster) -> list[str]:
    return [line.text for line in survey(cluster).report.of(Grade.STOP)]


def refusal(cluster: Cluster, canary: str = CANARY, **words: Any) -> list[str]:
    with pytest.raises(RouteError) as caught:
        survey(cluster, canary, **words)
    return [caught.value.message, *caught.value.hint.split("\n")]


def test_the_guides_world_is_found_without_a_word_more(world: World, cluster: Cluster) -> None:
    scene = survey(cluster)
    pool = {"group": "inference.networking.k8s.io", "kind": "InferencePool", "name": STABLE, "weight": 1}

    assert scene.report.grade is Grade.PASS
    assert replace(scene, report=Report()) == Survey(
        copy=cluster.read(world.namespace, ROUTE),
        stable=Pool(world.namespace, STABLE),
        canary=Pool(world.namespace, CANARY),
        rules=(
            Rule(
                key=scene.rules[0].key,
                index=0,
                stable_ref=str(pool).replace("'", '"').replace(": ", ":").replace(", ", ","),
                stable_index=0,
                stable_before=1,
                canary_before=None,
            ),
        ),
    )


def test_a_pool_that_does_not_exist_is_answered_with_the_nearest_names(world: World, cluster: Cluster) -> None:
    assert refusal(cluster, "vllm-llama3-8b-instruct-nwe", route=ROUTE) == [
        f"There is no InferencePool `vllm-llama3-8b-instruct-nwe` in `{world.namespace}`.",
        "Did you mean:",
        f"`/rollout start {CANARY} 10 route={ROUTE}`",
        f"`/rollout start {STABLE} 10 route={ROUTE}`",
    ]
    assert refusal(cluster, "qwen") == [
        f"There is no InferencePool `qwen` in `{world.namespace}`.",
        f"Deploy it first. There are `{STABLE}`, `{CANARY}`.",
    ]


def test_a_namespace_without_any_pool(cluster: Cluster, namespace: str) -> None:
    assert refusal(cluster) == [
        f"There is no InferencePool `{CANARY}` in `{namespace}`.",
        "Deploy it first; there is no InferencePool at all.",
    ]


def test_no_route_at_all(world: World, cluster: Cluster) -> None:
    world.delete_route()

    assert refusal(cluster) == [
        f"No HTTPRoute in namespace `{world.namespace}` sends traffic to an InferencePool.",
        "Point a route at the pool that serves now, or name another namespace with `namespace=`.",
    ]


def test_several_routes_are_offered_as_commands_that_work(world: World, cluster: Cluster) -> None:
    world.add_route("other-route", [pool_ref(STABLE)], path="/v2")

    assert refusal(cluster) == [
        f"More than one HTTPRoute fits `{CANARY}`.",
        "Say which one:",
        f"`/rollout start {CANARY} 10 route={ROUTE}`",
        f"`/rollout start {CANARY} 10 route=other-route`",
    ]
    assert survey(cluster, route="other-route").copy.name == "other-route"


def test_the_commands_use_the_name_that_people_type(world: World, api: Any) -> None:
    cluster = Cluster(api, [world.namespace], command="/llm", now=lambda: NOW)

    assert refusal(cluster, "vllm-llama3-8b-instruct-nwe")[2] == f"`/llm start {CANARY} 10`"


def test_a_third_weighted_backend_is_named(world: World, cluster: Cluster) -> None:
    world.set_weights({STABLE: 60, "older": 40})

    assert refusal(cluster)[0] == (
        f"`rule 1` of HTTPRoute `{world.namespace}/{ROUTE}` also sends to InferencePool `older` (weight 40), "
        f"besides `{STABLE}`."
    )


def test_a_canary_that_cannot_serve_is_warned_of(world: World, cluster: Cluster) -> None:
    world.set_picker_ready(CANARY, False)
    waits = "No weight moves until that is fixed: the rollout holds, and pauses after 30 minutes."
    picker = f"Service `{world.namespace}/{picker_name(CANARY)}`, the endpoint picker of InferencePool `{CANARY}`,"
    assert warnings(cluster) == (f"{picker} has no ready endpoint. {waits}",)
    world.set_servers_ready(CANARY, 0)
    servers = f"InferencePool `{world.namespace}/{CANARY}` has no ready model server: 0 of 2 pods are Ready."
    assert warnings(cluster) == (f"{servers} {waits}",)


def test_a_canary_that_is_being_deleted_stops_a_start(world: World, cluster: Cluster) -> None:
    path = path_of(POOL_API, "InferencePool", world.namespace, CANARY)
    world.kube.merge(path, {"metadata": {"finalizers": ["example.com/hold"]}})
    try:
        world.kube.delete(path)
        pool = f"InferencePool `{world.namespace}/{CANARY}`"
        assert stops(cluster) == [f"{pool} is being deleted. Deploy it again first."]
    finally:
        world.kube.merge(path, {"metadata": {"finalizers": None}})


def test_a_stable_pool_that_does_not_exist_is_nothing_to_roll_back_to(world: World, cluster: Cluster) -> None:
    world.delete_pool(STABLE)

    assert refusal(cluster)[0] == (
        f"HTTPRoute `{world.namespace}/{ROUTE}` sends to InferencePool `{STABLE}`, which does not exist."
    )


def test_a_stable_pool_that_cannot_serve_is_warned_of(world: World, cluster: Cluster) -> None:
    world.set_servers_ready(STABLE, 0)

    assert warnings(cluster) == (
        f"A roll back would not help now: InferencePool `{world.namespace}/{STABLE}` has no ready model server: "
        "0 of 2 pods are Ready.",
    )


def test_pods_that_both_pools_select_are_warned_of(world: World, cluster: Cluster) -> None:
    for number in range(2):
        pod = path_of("v1", "Pod", world.namespace, f"{CANARY}-{number}")
        world.kube.merge(pod, {"metadata": {"labels": {"app": STABLE, "gpu": "h100"}}})
    path = path_of(POOL_API, "InferencePool", world.namespace, CANARY)
    selector = {"app": STABLE, "gpu": "h100"}
    world.kube.merge(path, {"spec": {"selector": {"matchLabels": selector}}})

    assert warnings(cluster) == (
        f"Both pools select the pods `{CANARY}-0`, `{CANARY}-1`: the split is not what the weights say "
        f"(selectors `app={STABLE},gpu=h100` and `app={STABLE}`).",
    )


def test_a_route_that_the_gateway_refuses_already_is_warned_of(world: World, cluster: Cluster, robot: Robot) -> None:
    robot.answer = Answer(refuses="no such listener")
    world.kube.merge(world.route_path(), {"spec": {"hostnames": ["llm.example.com"]}})
    world.wait_observed()

    assert warnings(cluster) == (
        f"Gateway `{world.namespace}/inference-gateway`: Accepted is False (UnsupportedValue): no such listener. "
        "It was so before this rollout.",
    )


def test_an_owned_route_is_refused_and_a_helm_route_warned_of(world: World, cluster: Cluster) -> None:
    world.set_annotations({"meta.helm.sh/release-name": STABLE})
    assert [warning.split(":")[0] for warning in warnings(cluster)] == [
        f"HTTPRoute `{ROUTE}` belongs to the Helm release `{STABLE}`"
    ]
    world.kube.merge(
        world.route_path(), {"metadata": {"labels": {"rollouts.argoproj.io/gatewayapi-canary": "in-progress"}}}
    )
    (stop,) = stops(cluster)
    assert "managed by Argo Rollouts" in stop


def test_a_name_in_two_namespaces_needs_the_namespace(world: World, api: Any, namespace: str) -> None:
    second = f"{namespace}-b"
    world.kube.create(objects.namespace(second))
    world.kube.create(objects.pool(CANARY, second))
    cluster = Cluster(api, [namespace, second], now=lambda: NOW)

    assert refusal(cluster) == [
        f"InferencePool `{CANARY}` is in more than one namespace.",
        "Say which one:",
        f"`/rollout start {CANARY} 10 namespace={namespace}`",
        f"`/rollout start {CANARY} 10 namespace={second}`",
    ]
    assert survey(cluster, namespace=namespace).canary == Pool(namespace, CANARY)
    assert refusal(cluster, namespace="../kube-system") == [
        "The bot does not work in namespace `../kube-system`.",
        "Say which one:",
        f"`/rollout start {CANARY} 10 namespace={namespace}`",
        f"`/rollout start {CANARY} 10 namespace={second}`",
    ]
