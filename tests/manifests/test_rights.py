"""The rights that the manifests give are enough for a whole rollout, and the bot asks for nothing beyond them."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.domain.errors import RouteError
from bot.domain.rollout import Phase
from k8s.client import connect
from k8s.cluster import Cluster
from sandbox.apiserver import ApiServer
from sandbox.kube import Kube, path_of
from sandbox.world import World
from tests.builders import CANARY, STABLE
from tests.stage import Stage

RIGHTS = Path(__file__).parents[2] / "manifests/kustomize/rights/rbac.yaml"


@pytest.fixture
def rights(kube: Kube, world: World) -> list[dict[str, Any]]:
    """Give the bot's ServiceAccount in the test's namespace what the manifests give it."""
    documents = list(yaml.safe_load_all(RIGHTS.read_text()))
    for document in documents:
        document["metadata"]["namespace"] = world.namespace
        for subject in document.get("subjects", []):
            subject["namespace"] = "rolloutbot"
        kube.create(document)
    return documents


@pytest.fixture
def as_the_bot(stage: Stage, api_server: ApiServer) -> Stage:
    """Return a stage whose cluster is seen with the bot's token."""
    stage.cluster = Cluster(connect(api_server.kubeconfig("rolloutbot")).api, [stage.world.namespace])
    stage.__post_init__()
    return stage


@pytest.mark.usefixtures("rights")
def test_a_whole_rollout_needs_no_more(as_the_bot: Stage) -> None:
    stage = as_the_bot
    entry = stage.started(10)
    stage.say("advance")
    stage.wait_observed()
    stage.pass_time(seconds=1)
    stage.say("promote")
    stage.say("finish")
    stage.audit.inspect()
    assert (stage.load(entry.rollout.id).rollout.phase, stage.world.weights()) == (Phase.FINISHED, [(CANARY, 100)])
    stage.say("rollback")
    assert stage.world.weights() == [(STABLE, 1)]


def test_a_missing_right_is_named_and_nothing_is_started(
    rights: list[dict[str, Any]], as_the_bot: Stage, kube: Kube
) -> None:
    namespace = as_the_bot.world.namespace
    role = rights[0]
    role["rules"][0]["verbs"].remove("patch")
    kube.merge(path_of("rbac.authorization.k8s.io/v1", "Role", namespace, "rolloutbot"), {"rules": role["rules"]})
    before = as_the_bot.world.http_route()
    with pytest.raises(RouteError) as refused:
        as_the_bot.start(10)
    assert "patch" in str(refused.value)
    assert "httproutes" in str(refused.value)
    assert (as_the_bot.world.http_route(), as_the_bot.store.entries()) == (before, [])
