"""The rights that the manifests give are enough for a whole rollout, and the bot asks for nothing beyond them."""

from contextlib import closing

import pytest

from bot.domain.commands.request import Verb
from bot.domain.errors import RouteError
from bot.domain.rollout import Phase
from k8s.client import connect
from k8s.cluster import Cluster
from sandbox.apiserver import ApiServer
from sandbox.kube import Object
from sandbox.rights import give_rights
from sandbox.world import World
from tests.builders import CANARY, STABLE
from tests.scenarios.admission import without_patch
from tests.stage import Stage


@pytest.fixture
def role(world: World) -> Object:
    """Give the bot's ServiceAccount in the test's namespace what the manifests give it."""
    return give_rights(world.kube, world.namespace)


@pytest.fixture
def as_the_bot(stage: Stage, api_server: ApiServer) -> Stage:
    """Return a stage whose cluster is seen with the bot's token."""
    stage.cluster = Cluster(connect(api_server.kubeconfig("rolloutbot")).api, [stage.world.namespace])
    stage.__post_init__()
    return stage


@pytest.mark.usefixtures("role")
def test_a_whole_rollout_needs_no_more(as_the_bot: Stage) -> None:
    stage = as_the_bot
    entry = stage.started(10)
    stage.say(Verb.ADVANCE)
    stage.wait_observed()
    stage.pass_time(seconds=1)
    stage.say(Verb.PROMOTE)
    stage.say(Verb.FINISH)
    stage.audit.inspect()
    assert (stage.load(entry.rollout.id).rollout.phase, stage.world.weights()) == (Phase.FINISHED, [(CANARY, 100)])
    stage.say(Verb.ROLLBACK)
    assert stage.world.weights() == [(STABLE, 1)]


def test_a_missing_right_is_named_and_nothing_is_started(
    role: Object, as_the_bot: Stage, api_server: ApiServer
) -> None:
    before = as_the_bot.world.http_route()
    with (
        closing(api_server.client("rolloutbot")) as bot,
        without_patch(as_the_bot.world, role, bot),
        pytest.raises(RouteError) as refused,
    ):
        as_the_bot.start(10)
    assert "patch" in str(refused.value)
    assert "httproutes" in str(refused.value)
    assert (as_the_bot.world.http_route(), as_the_bot.store.entries()) == (before, [])
