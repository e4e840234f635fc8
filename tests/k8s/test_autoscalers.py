"""How few model servers an autoscaler may leave a pool."""

from datetime import timedelta
from typing import Any

import pytest

from bot.domain.rollout import Pool
from k8s.autoscalers import FRESH, least_of
from sandbox.kube import path_of
from tests.builders import CANARY, STABLE
from tests.stage import Stage


def a_pod(owner: str, **labels: str) -> dict[str, Any]:
    return {"metadata": {"name": f"{owner}-x", "labels": labels, "ownerReferences": [{"name": owner}]}}


def an_autoscaler(target: str, **spec: int) -> dict[str, Any]:
    return {"spec": {"scaleTargetRef": {"kind": "Deployment", "name": target}, "maxReplicas": 9, **spec}}


OF_DEPLOYMENT = a_pod("chat-5d4f", **{"pod-template-hash": "5d4f"})
OF_SET = a_pod("chat-set")
OF_GROUP = a_pod("chat-lws-0", **{"leaderworkerset.sigs.k8s.io/name": "chat-lws"})


@pytest.mark.parametrize(
    ("autoscalers", "pods", "least"),
    [
        ([], [OF_DEPLOYMENT], None),
        ([an_autoscaler("other")], [OF_DEPLOYMENT], None),
        ([an_autoscaler("chat")], [OF_DEPLOYMENT] * 4, 1),
        ([an_autoscaler("chat", minReplicas=3)], [OF_DEPLOYMENT] * 4, 3),
        ([an_autoscaler("chat", minReplicas=0)], [OF_DEPLOYMENT], 0),
        ([an_autoscaler("chat-set", minReplicas=2)], [OF_SET] * 3, 2),
        ([an_autoscaler("chat-lws", minReplicas=1)], [OF_GROUP] * 2, 1),
        ([an_autoscaler("chat", minReplicas=2)], [OF_DEPLOYMENT, OF_DEPLOYMENT, OF_SET], 3),
        ([an_autoscaler("chat", minReplicas=2), an_autoscaler("chat-set")], [OF_DEPLOYMENT, OF_SET], 3),
    ],
)
def test_the_minimum_of_what_scales_a_pools_pods_counts(autoscalers: list[Any], pods: list[Any], least: int) -> None:
    assert least_of(autoscalers, pods) == least


def test_they_are_read_from_the_cluster_and_kept_for_a_minute(stage: Stage) -> None:
    namespace, kube = stage.world.namespace, stage.world.kube
    old = Pool(namespace, STABLE)
    assert stage.cluster.least(old) is None
    for pod in stage.world.servers(STABLE):
        change = {"metadata": {"labels": {"leaderworkerset.sigs.k8s.io/name": "servers"}}}
        kube.merge(path_of("v1", "Pod", namespace, pod["metadata"]["name"]), change)
    kube.create(
        {
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": "old", "namespace": namespace},
            "spec": {
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "servers"},
                "minReplicas": 1,
                "maxReplicas": 4,
            },
        }
    )
    assert stage.cluster.least(old) is None
    stage.clock.forward(seconds=(FRESH + timedelta(seconds=1)).total_seconds())
    assert (stage.cluster.least(old), stage.cluster.least(Pool(namespace, CANARY))) == (1, None)
    assert stage.cluster.least(Pool(namespace, "nobody")) is None
