"""What the port costs the API server, call by call."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from kubernetes.client import ApiClient

from bot.domain.commands.request import StartWords
from bot.engine.route_port import Routes
from k8s.cluster import Cluster
from k8s.connection import TimeoutClient
from sandbox.process import wait_until
from sandbox.world import CANARY, STABLE, World
from tests.k8s.stories import back, start, write
from tests.k8s.watching import ignore


class CountingClient(TimeoutClient):
    """Remembers what was sent, as verb and collection."""

    def call_api(self, *arguments: Any, **options: Any) -> Any:
        path = arguments[1].partition("?")[0]
        collection = path.split("/namespaces/")[1].split("/")[1] if "/namespaces/" in path else path.split("/")[-2]
        self.sent.append(f"{arguments[0]} {collection}")
        return super().call_api(*arguments, **options)

    sent: list[str]


@pytest.fixture
def counting(api: ApiClient) -> Iterator[CountingClient]:
    client = CountingClient(api.configuration)
    client.sent = []
    yield client
    client.rest_client.close()


def test_the_calls_of_each_question(world: World, counting: CountingClient) -> None:
    cluster: Routes = Cluster(counting, [world.namespace])
    rollout = start(cluster)
    survey = [*counting.sent]
    counting.sent.clear()

    def sent() -> list[str]:
        done = [*counting.sent]
        counting.sent.clear()
        return done

    reads = ["GET inferencepools", "GET pods", "GET services", "GET endpointslices"]
    assert survey[-1] == "PATCH httproutes"
    kinds = ["GET inferenceobjectives", "GET inferencemodelrewrites"] * 2
    once = ["GET inferencepools", "GET httproutes", "GET gateways", "GET gatewayclasses", *kinds]
    asked_pods = ["GET pods"] * 2  # through the API server's proxy: one of each pool
    assert sorted(survey[:-1]) == sorted([*once, *reads[1:] * 2, *asked_pods])
    write(cluster, replace(rollout, step=1))
    assert sent() == ["GET httproutes", "PATCH httproutes"]
    write(cluster, back(rollout))
    assert sent() == ["GET httproutes", "PATCH httproutes"]
    cluster.health(rollout.stable, rollout.canary)
    assert sorted(sent()) == sorted(reads * 2)
    cluster.readiness(rollout.stable, rollout.canary)
    assert sent() == reads * 2
    cluster.list(world.namespace)
    assert sent() == ["GET httproutes"]


def test_with_a_watch_a_step_is_one_patch_and_what_is_only_looked_at_costs_nothing(
    world: World, counting: CountingClient
) -> None:
    cluster = Cluster(counting, [world.namespace])
    rollout = start(cluster)
    cluster.watch(route_changed=ignore, route_gone=ignore, pool_gone=ignore)
    wait_until("a route", lambda: cluster.kept(world.namespace, world.route) is not None)
    wait_until("a copy of the pools", lambda: costs_nothing(counting, lambda: cluster.pools(world.namespace)))
    for step in (1, 2):
        kept = cluster.kept(world.namespace, world.route)
        assert kept is not None
        cluster.write(kept, replace(rollout, step=step), weights=True)
    assert (counting.sent, world.weights()) == (["PATCH httproutes"] * 2, [(STABLE, 50), (CANARY, 50)])
    assert [copy.name for copy in cluster.copies(world.namespace)] == [world.route]
    pools = rollout.stable, rollout.canary
    wait_until("a copy of all else", lambda: costs_nothing(counting, lambda: cluster.readiness(*pools)))
    route = cluster.read(world.namespace, world.route)
    wait_until("the gateway", lambda: costs_nothing(counting, lambda: cluster.gateway_word(route, rollout, 1)))
    assert (cluster.health(*pools).lack, cluster.gateway_word(route, rollout, 1).objections) == ("", ())
    assert counting.sent == ["GET pods"]
    cluster.close()


def costs_nothing(counting: CountingClient, question: Callable[[], object]) -> bool:
    """Ask, and say whether nothing was sent meanwhile; the counting begins anew."""
    counting.sent.clear()
    question()
    return counting.sent == []


def test_a_start_that_is_refused_writes_nothing(world: World, counting: CountingClient) -> None:
    world.delete_pool(CANARY)
    cluster: Routes = Cluster(counting, [world.namespace])

    with pytest.raises(Exception, match="There is no InferencePool"):
        cluster.survey(CANARY, StartWords(weight=10))
    assert counting.sent == ["GET inferencepools"] * 2  # of the old group too
