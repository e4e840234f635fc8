"""A pool that is only in the API group from before v1, on a real API server that serves both groups."""

from typing import Any

import pytest

from bot.domain.errors import RouteError
from k8s.cluster import Cluster
from k8s.old_group import OLD_GROUP
from sandbox.errors import ApiError
from sandbox.kube import Kube
from sandbox.process import wait_until
from sandbox.world import World
from tests.k8s.test_survey import survey

OPEN: dict[str, Any] = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}


@pytest.fixture
def old_group(kube: Kube) -> None:
    """Install the old definition, as clusters have it beside the new one; it stays."""
    name = f"inferencepools.{OLD_GROUP}"
    version = {"name": "v1alpha2", "served": True, "storage": True, "schema": OPEN}
    names = {"plural": "inferencepools", "singular": "inferencepool", "kind": "InferencePool"}
    kube.apply(
        {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": name, "annotations": {"api-approved.kubernetes.io": "unapproved, for a test"}},
            "spec": {"group": OLD_GROUP, "names": names, "scope": "Namespaced", "versions": [version]},
        }
    )


def create_old(world: World, name: str) -> bool:
    """Create a pool of the old group, and say whether the API server serves it yet."""
    pool = {
        "apiVersion": f"{OLD_GROUP}/v1alpha2",
        "kind": "InferencePool",
        "metadata": {"name": name, "namespace": world.namespace},
        "spec": {"targetPortNumber": 8000, "selector": {"app": name}},
    }
    try:
        world.kube.create(pool)
    except ApiError as error:
        return error.status == 409
    return True


@pytest.mark.usefixtures("old_group")
def test_a_new_pool_of_the_old_group_is_explained(world: World, cluster: Cluster) -> None:
    wait_until("the old group", lambda: create_old(world, "llama-old"), seconds=15)
    with pytest.raises(RouteError) as refused:
        survey(cluster, "llama-old")
    assert [refused.value.message, refused.value.hint] == [
        "InferencePool `llama-old` is of the old API group `inference.networking.x-k8s.io`, and this bot works with "
        "`inference.networking.k8s.io/v1`.",
        "Create it there too, and point the route at that one first: `targetPortNumber` is `targetPorts` now, and "
        "`extensionRef` is `endpointPickerRef`.",
    ]
