"""What a watch keeps and tells, on the real API server, directly and through a proxy that fails."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes.client import ApiClient

from bot.domain.rollout import Pool
from bot.engine.route_port import RouteCopy
from k8s.cluster import Cluster
from k8s.connection import TimeoutClient, connect
from k8s.httproute import HTTPROUTES
from k8s.watch import Watch
from sandbox.fault_proxy import FaultProxy
from sandbox.faults import Fault
from sandbox.kube import Kube
from sandbox.objects import pool_ref
from sandbox.process import wait_until
from sandbox.rights import a_role, grant
from sandbox.world import World
from tests.k8s.watching import DEADLINE, Told, live, watching


class Asking(TimeoutClient):
    """Remembers what a watch has asked for."""

    asked: list[str]

    def call_api(self, *arguments: Any, **options: Any) -> Any:
        self.asked.append("watch" if "watch=true" in arguments[1] else "list")
        return super().call_api(*arguments, **options)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def routes(kube: Kube, namespace: str) -> World:
    """Return a namespace in which only people write; it has the route ``a``."""
    world = World(kube, namespace)
    world.add_route("a", [pool_ref("pool", 1)])
    return world


@pytest.fixture
def asking(proxy: FaultProxy) -> Iterator[Asking]:
    """Return a client that leads through the proxy."""
    api = Asking(connect(proxy.kubeconfig()).api.configuration)
    api.asked = []
    yield api
    api.rest_client.close()


# --- the real API server


def test_it_lists_and_then_follows(api: ApiClient, routes: World, told: Told) -> None:
    with watching(api, routes.namespace, told) as watch:
        told.wait("there a")
        routes.add_route("b", [pool_ref("pool", 1)])
        told.wait("there a", "there b")
        routes.set_weights({"pool": 7}, "a")
        told.wait("there a", "there b", "there a")
        assert watch.object(routes.namespace, "a") == routes.http_route("a")
        routes.delete_route("b")
        told.wait("there a", "there b", "there a", "gone b")
        assert watch.objects() == (routes.http_route("a"),)


def test_a_change_of_the_status_alone_is_told_as_one(api: ApiClient, routes: World, told: Told) -> None:
    with watching(api, routes.namespace, told) as watch:
        live(watch)
        routes.kube.merge(f"{routes.route_path('a')}/status", {"status": {"parents": []}})
        wait_until("the status", lambda: "status" in (watch.object(routes.namespace, "a") or {}), seconds=DEADLINE)
        routes.add_route("b", [pool_ref("pool", 1)])
        told.wait("there a", "status a", "there b")


def test_a_label_an_annotation_and_an_owner_are_told(api: ApiClient, routes: World, told: Told) -> None:
    owner = {"apiVersion": "v1", "kind": "Canary", "name": "x", "uid": "u"}
    with watching(api, routes.namespace, told):
        told.wait("there a")
        for count, change in enumerate(
            ({"labels": {"x": "y"}}, {"annotations": {"x": "y"}}, {"ownerReferences": [owner]}), 2
        ):
            routes.kube.merge(routes.route_path("a"), {"metadata": change})
            told.wait(*["there a"] * count)


def test_it_ends_at_once_while_the_server_is_silent(api: ApiClient, routes: World, told: Told) -> None:
    watch = Watch(api, HTTPROUTES, routes.namespace, told)
    watch.start()
    live(watch)
    watch.stop()
    watch.join(DEADLINE)
    assert f"watch {routes.namespace} httproutes" not in {thread.name for thread in threading.enumerate()}


def test_without_the_right_to_watch_the_lists_go_on(
    proxy: FaultProxy, routes: World, caplog: pytest.LogCaptureFixture
) -> None:
    groups = ["gateway.networking.k8s.io", "inference.networking.k8s.io"]
    reads = {"apiGroups": groups, "resources": ["httproutes", "inferencepools"], "verbs": ["get", "list"]}
    grant(routes.kube, routes.namespace, a_role(reads))
    cluster = Cluster(connect(proxy.kubeconfig("rolloutbot")).api, [routes.namespace])
    told: list[str] = []

    def tell(copy: RouteCopy | Pool) -> None:
        told.append(copy.name)

    cluster.watch(route_changed=tell, route_gone=tell, pool_gone=tell)
    wait_until("what the list has", lambda: told == ["a"], seconds=DEADLINE)
    assert [copy.name for copy in cluster.copies(routes.namespace)] == ["a"]
    assert (cluster.kept(routes.namespace, "a"), cluster.pools(routes.namespace)) == (None, set())
    cluster.close()


# --- between it and the API server


def test_an_answer_that_is_cut_goes_on_where_it_was(
    asking: Asking, proxy: FaultProxy, routes: World, told: Told
) -> None:
    with watching(asking, routes.namespace, told) as watch:
        live(watch)
        proxy.inject(Fault.CUT, path=routes.namespace)
        routes.set_weights({"pool": 7}, "a")
        told.wait("there a", "there a")
        assert (watch.object(routes.namespace, "a"), asking.asked) == (
            routes.http_route("a"),
            ["list", "watch", "watch"],
        )


def test_a_half_open_connection_is_given_up(asking: Asking, proxy: FaultProxy, routes: World, told: Told) -> None:
    with watching(asking, routes.namespace, told, silence=0.5) as watch:
        live(watch)
        proxy.inject(Fault.SILENT, path=routes.namespace)
        routes.set_weights({"pool": 7}, "a")
        told.wait("there a", "there a")
        assert "list" not in asking.asked[1:]


def test_while_the_api_server_is_away_nothing_is_kept_and_what_happened_is_told_when_it_is_back(
    asking: Asking, proxy: FaultProxy, routes: World, told: Told
) -> None:
    with watching(asking, routes.namespace, told) as watch:
        live(watch)
        with proxy.failing(Fault.REFUSED):
            wait_until("a lost watch", lambda: not watch.is_live, seconds=DEADLINE)
            assert (watch.objects(), watch.object(routes.namespace, "a")) == (None, None)
            routes.delete_route("a")
            routes.add_route("a", [pool_ref("pool", 1)])
        told.wait("there a", "gone a", "there a")
        live(watch)
        assert watch.objects() == (routes.http_route("a"),)


def test_a_right_that_is_withdrawn_is_waited_for(asking: Asking, proxy: FaultProxy, routes: World, told: Told) -> None:
    with watching(asking, routes.namespace, told) as watch:
        live(watch)
        with proxy.failing(Fault.UNKNOWN_TOKEN, path="watch=true"):
            proxy.inject(Fault.CUT, path=routes.namespace)
            wait_until("a lost watch", lambda: not watch.is_live, seconds=DEADLINE)
            assert watch.objects() is None
