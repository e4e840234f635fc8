"""A route in one namespace that sends to pools in another, on the real API server."""

from dataclasses import replace
from typing import Any

import pytest

from bot.domain.check import Grade
from bot.domain.commands.request import StartWords
from bot.domain.errors import RouteError
from bot.domain.rollout import Pool
from k8s.cluster import Cluster
from k8s.connection import connect
from sandbox.apiserver import ApiServer
from sandbox.objects import pool_ref, rule
from sandbox.robot import robot
from sandbox.world import CANARY, STABLE, World, create_namespace
from tests.builders import ALICE
from tests.stage import NOTES, Stage


@pytest.fixture
def pools(stage: Stage, api_server: ApiServer) -> Any:
    """Return another namespace with pools of the same names, to which the stage's route sends."""
    home = f"{stage.world.namespace}-pools"
    create_namespace(stage.world.kube, home)
    there = World(stage.world.kube, home)
    with robot(stage.world.kube, home):
        for name in (STABLE, CANARY):
            there.add_pool(name)
        stage.world.set_rules([rule([{**pool_ref(STABLE, 1), "namespace": home}])])
        stage.world.wait_observed()
        both = [stage.world.namespace, home]
        stage.cluster = Cluster(connect(api_server.kubeconfig()).api, both, notes=NOTES)
        stage.policy = replace(stage.policy, namespaces=tuple(both))
        stage.__post_init__()
        yield home


def grant(stage: Stage, home: str, **to: str) -> None:
    """Let HTTPRoutes of the stage's namespace send to pools."""
    routes = {"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "namespace": stage.world.namespace}
    stage.world.kube.create(
        {
            "apiVersion": "gateway.networking.k8s.io/v1beta1",
            "kind": "ReferenceGrant",
            "metadata": {"name": "routes", "namespace": home},
            "spec": {
                "from": [routes],
                "to": [{"group": "inference.networking.k8s.io", "kind": "InferencePool", **to}],
            },
        }
    )


def refusal(stage: Stage, pools: str) -> list[str]:
    with pytest.raises(RouteError) as refused:
        stage.start(10, namespace=pools)
    return [refused.value.message, refused.value.hint]


def test_a_whole_rollout_of_pools_in_another_namespace(stage: Stage, pools: str) -> None:
    grant(stage, pools)
    entry = stage.started(10, namespace=pools)
    there = {"namespace": pools}
    refs = stage.world.http_route()["spec"]["rules"][0]["backendRefs"]
    assert refs == [{**pool_ref(STABLE, 90), **there}, {**pool_ref(CANARY, 10), **there}]
    assert (entry.rollout.namespace, entry.rollout.canary) == (stage.world.namespace, Pool(pools, CANARY))
    stage.step()
    assert stage.world.weights() == [(STABLE, 75), (CANARY, 25)]
    stage.say("rollback")
    assert stage.world.http_route()["spec"]["rules"][0]["backendRefs"] == [{**pool_ref(STABLE, 1), **there}]


def test_a_route_that_no_grant_lets_send_to_the_new_pool_is_refused(stage: Stage, pools: str) -> None:
    here, before = stage.world.namespace, stage.world.http_route()
    grant(stage, pools, name=STABLE)
    assert refusal(stage, pools) == [
        f"No ReferenceGrant in namespace `{pools}` lets HTTPRoutes of namespace `{here}` send to InferencePool "
        f"`{CANARY}`: the gateway would answer its share with errors.",
        "Add one for that pool, or for all InferencePools.",
    ]
    assert stage.world.http_route() == before


def test_routes_of_all_namespaces_are_offered_by_their_full_names(stage: Stage, pools: str) -> None:
    grant(stage, pools)
    World(stage.world.kube, pools).add_route("near", [pool_ref(STABLE)], path="/near")
    far = f"{stage.world.namespace}/llm-route"
    assert refusal(stage, pools) == [
        f"More than one HTTPRoute fits `{CANARY}`.",
        f"Say which one:\n`/rollout start {CANARY} 10 namespace={pools} route=near approve=none`\n"
        f"`/rollout start {CANARY} 10 namespace={pools} route={far} approve=none`",
    ]
    request = stage.request("check", by=ALICE, start=StartWords(weight=10, route=far, namespace=pools))
    report = stage.engine.answer(request, "/rollout").report
    assert report is not None
    assert [line.text for line in report.of(Grade.WARN)] == [
        f"HTTPRoute `{pools}/near` also sends to `{STABLE}`, and stays there. Roll it out too before you delete that "
        "pool."
    ]
    assert f"A ReferenceGrant lets HTTPRoutes of namespace `{stage.world.namespace}` send to `{pools}/{CANARY}`." in [
        line.text for line in report.of(Grade.PASS)
    ]
