"""Pods of the data plane are processes: what Helm and Deployments say happens to them."""

import pytest

from sandbox.dataplane.plane import NAMESPACE, Plane
from sandbox.errors import SandboxError
from sandbox.kube import path_of
from sandbox.objects import picker_name
from sandbox.process import wait_until
from sandbox.world import CANARY, STABLE

THIRD = "vllm-llama3-8b-instruct-third"


def test_both_pools_are_releases_of_helm_with_ready_pods(plane: Plane) -> None:
    assert sorted(plane.helm.releases(NAMESPACE)) == [STABLE, CANARY]
    assert {name: plane.ready(name) for name in (STABLE, CANARY)} == {STABLE: 2, CANARY: 2}
    assert [plane.ready(picker_name(name)) for name in (STABLE, CANARY)] == [1, 1]


def test_helm_installs_a_pool_and_takes_all_of_it_away(plane: Plane) -> None:
    plane.install_pool(THIRD)
    plane.wait_ready(picker_name(THIRD), 1)
    pool = path_of("inference.networking.k8s.io/v1", "InferencePool", NAMESPACE, THIRD)
    assert plane.kube.exists(pool)

    plane.helm.uninstall(THIRD, NAMESPACE)

    wait_until("the picker's pod has gone", lambda: not plane.pods(picker_name(THIRD)), seconds=20)
    assert not plane.kube.exists(pool)
    assert not plane.kube.exists(path_of("v1", "Service", NAMESPACE, picker_name(THIRD)))


def test_a_refusal_comes_in_helms_own_words(plane: Plane) -> None:
    with pytest.raises(SandboxError, match="cannot reuse a name that is still in use"):
        plane.install_pool(STABLE)


def test_a_killed_model_server_is_started_again(plane: Plane) -> None:
    pod = plane.pods(STABLE)[0]["metadata"]["name"]
    process = plane.node.process_of(NAMESPACE, pod)

    process.crash()

    wait_until("the pod was started again", lambda: process.restarts == 1 and process.is_ready, seconds=20)


def test_prometheus_sees_both_pools(plane: Plane) -> None:
    def seen(metric: str) -> set[str]:
        return {one["metric"]["job"] for one in plane.prometheus.query(metric)}

    pickers = {picker_name(STABLE), picker_name(CANARY)}
    wait_until("samples of both pools", lambda: seen("vllm:num_requests_running") == {STABLE, CANARY}, seconds=30)
    wait_until("samples of both pickers", lambda: seen("inference_pool_ready_pods") == pickers, seconds=30)
