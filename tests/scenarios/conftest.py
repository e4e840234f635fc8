from collections.abc import Iterator

import pytest

from sandbox.apiserver import ApiServer
from sandbox.fault_proxy import FaultProxy
from sandbox.rights import give_rights
from sandbox.slack import Slack
from sandbox.workplace import Workplace
from sandbox.world import World
from tests.scenarios.outage import Outage
from tests.scenarios.play import Play
from tests.stage import a_stage


@pytest.fixture
def play(place: Workplace, api_server: ApiServer, world: World, redis_url: str, local_slack: Slack) -> Iterator[Play]:
    """Return the guide's world with a Slack, where bots have exactly the rights of the manifests; none runs yet."""
    local_slack.reset()
    give_rights(world.kube, world.namespace)
    folder = place.folder / world.namespace
    folder.mkdir()
    play = Play(local_slack, world, api_server, redis_url, folder)
    yield play
    play.close()


@pytest.fixture
def outage(proxy: FaultProxy, world: World, redis_url: str) -> Iterator[Outage]:
    """Return the engine with a proxy between it and the API server, which people in the cluster do not go through."""
    outage = Outage(a_stage(proxy.api_server, world, redis_url), proxy)
    yield outage
    outage.close()
