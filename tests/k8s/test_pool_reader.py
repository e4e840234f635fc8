"""Whether a pool can serve: its picker's endpoints and its model servers, on the real API server."""

from dataclasses import replace

import pytest

from bot.domain.errors import GoneError
from bot.domain.gate import Readiness
from bot.domain.rollout import Rollout
from bot.engine.route_port import PoolHealth
from k8s.cluster import Cluster
from sandbox.kube import path_of
from sandbox.objects import POOL_API, picker_name
from sandbox.world import CANARY, STABLE, World
from tests.k8s.build import NOW
from tests.k8s.stories import start


def seen(*, canary: tuple[int, int] = (2, 2), stable: tuple[int, int] = (2, 2), lacks: str = "") -> Readiness:
    """Return the readiness of a canary that lacks nothing, and of a stable pool that ``lacks`` something."""
    return Readiness(
        canary_ready=canary[0],
        canary_of=canary[1],
        stable_ready=stable[0],
        stable_of=stable[1],
        stable_lack=lacks,
        at=NOW,
    )


def health(cluster: Cluster, rollout: Rollout) -> PoolHealth:
    return cluster.health(rollout.stable, rollout.canary)


def lack(reason: str, readiness: Readiness) -> PoolHealth:
    return PoolHealth(lack=reason, readiness=replace(readiness, canary_lack=reason))


def test_a_canary_that_can_serve_passes(world: World, cluster: Cluster) -> None:
    assert health(cluster, start(cluster)) == lack("", seen())


def test_one_ready_server_of_two_is_enough_and_counted(world: World, cluster: Cluster) -> None:
    rollout = start(cluster)
    world.set_servers_ready(CANARY, 1)
    world.set_servers_ready(STABLE, 0)

    lacks = f"InferencePool `{world.namespace}/{STABLE}` has no ready model server: 0 of 2 pods are Ready."
    assert health(cluster, rollout) == lack("", seen(canary=(1, 2), stable=(0, 2), lacks=lacks))


def test_a_canary_without_a_ready_server_cannot_serve(world: World, cluster: Cluster) -> None:
    rollout = start(cluster)
    world.set_servers_ready(CANARY, 0)

    assert health(cluster, rollout) == lack(
        f"InferencePool `{world.namespace}/{CANARY}` has no ready model server: 0 of 2 pods are Ready.",
        seen(canary=(0, 2)),
    )


def test_a_canary_whose_pods_are_gone_cannot_serve(world: World, cluster: Cluster) -> None:
    rollout = start(cluster)
    for number in range(2):
        world.kube.delete(path_of("v1", "Pod", world.namespace, f"{CANARY}-{number}"), grace_seconds=0)

    assert health(cluster, rollout) == lack(
        f"InferencePool `{world.namespace}/{CANARY}` selects no pod: none has the labels `app={CANARY}`.",
        seen(canary=(0, 0)),
    )


def test_a_picker_without_a_ready_endpoint_cannot_serve(world: World, cluster: Cluster) -> None:
    rollout = start(cluster)
    picker = f"Service `{world.namespace}/{picker_name(CANARY)}`, the endpoint picker of InferencePool `{CANARY}`,"
    world.set_picker_ready(CANARY, False)
    assert health(cluster, rollout) == lack(f"{picker} has no ready endpoint.", seen())
    world.delete_picker(CANARY)
    assert health(cluster, rollout) == lack(f"{picker} does not exist.", seen())


def test_followers_of_a_picker_may_be_unready(world: World, cluster: Cluster) -> None:
    rollout = start(cluster)
    world.delete_picker(CANARY)
    world.delete_pool(CANARY)
    for number in range(2):
        world.kube.delete(path_of("v1", "Pod", world.namespace, f"{CANARY}-{number}"), grace_seconds=0)
    world.kube.delete(path_of("apps/v1", "Deployment", world.namespace, CANARY))
    world.add_pool(CANARY, pickers=3)
    world.set_picker_ready(CANARY, True)  # the first of three

    assert health(cluster, rollout).lack == ""


def test_a_canary_that_is_gone_is_an_error(world: World, cluster: Cluster) -> None:
    rollout = start(cluster)
    world.delete_pool(CANARY)

    with pytest.raises(GoneError, match="is not there"):
        health(cluster, rollout)
    gone = f"InferencePool `{world.namespace}/{CANARY}` does not exist."
    assert cluster.readiness(rollout.stable, rollout.canary) == replace(seen(canary=(0, 0)), canary_lack=gone)


def test_a_stable_pool_that_is_gone_does_not_hold(world: World, cluster: Cluster) -> None:
    rollout = start(cluster)
    world.delete_pool(STABLE)

    gone = f"InferencePool `{world.namespace}/{STABLE}` does not exist."
    assert health(cluster, rollout) == replace(lack("", seen(stable=(0, 0), lacks=gone)), is_stable_gone=True)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"kind": "ServiceImport", "group": "multicluster.x-k8s.io"}, "cannot be checked: only a Service can."),
        ({"name": "another-epp"}, "does not exist."),
    ],
)
def test_the_picker_is_the_one_that_the_pool_names(
    world: World, cluster: Cluster, change: dict[str, str], reason: str
) -> None:
    rollout = start(cluster)
    world.kube.merge(
        path_of(POOL_API, "InferencePool", world.namespace, CANARY), {"spec": {"endpointPickerRef": change}}
    )

    assert health(cluster, rollout).lack.endswith(f"the endpoint picker of InferencePool `{CANARY}`, {reason}")


def test_a_picker_with_a_name_that_no_service_can_have_is_not_asked_about(world: World, cluster: Cluster) -> None:
    rollout, name = start(cluster), 'x"} or up{job="'
    pool = path_of(POOL_API, "InferencePool", world.namespace, CANARY)
    world.kube.merge(pool, {"spec": {"endpointPickerRef": {"name": name}}})
    assert cluster.members(rollout.canary).picker == ""
    assert health(cluster, rollout) == lack(
        f"Service `{world.namespace}/{name}`, the endpoint picker of InferencePool `{CANARY}`, does not exist: no "
        "Service can have that name. Correct the pool's `endpointPickerRef`.",
        seen(),
    )
