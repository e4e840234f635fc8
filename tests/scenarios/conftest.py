from collections.abc import Iterator
from dataclasses import replace

import pytest

from sandbox.apiserver import ApiServer
from sandbox.fault_proxy import FaultProxy
from sandbox.process import free_ports
from sandbox.rights import give_rights
from sandbox.slack import Slack, local_slack
from sandbox.workplace import Workplace, workplace
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
def http(play: Play) -> Iterator[Play]:
    """Return a play whose Slack sends signed requests to a bot that runs."""
    address = f"127.0.0.1:{free_ports(1)[0]}"
    with (
        workplace(prefix="tests") as place,
        local_slack(place, mode="http", request_url=f"http://{address}/slack/events") as slack,
    ):
        play = replace(play, slack=slack)  # the list of bots is the same one, so the other play ends them
        play.bot(address=address, mode="http")
        yield play


@pytest.fixture
def outage(proxy: FaultProxy, world: World, redis_url: str) -> Iterator[Outage]:
    """Return the engine with a proxy between it and the API server, which people in the cluster do not go through."""
    outage = Outage(a_stage(proxy.api_server, world, redis_url), proxy)
    yield outage
    outage.close()
