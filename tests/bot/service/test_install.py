"""Which install a process belongs to: one for the bot and for people in a terminal, with the rights that each has."""

from collections.abc import Iterator
from threading import Event
from typing import cast

import pytest
import redis

from bot.domain.errors import StoreError
from bot.service.install import ClusterId, Enter, Install
from bot.store.connection import connect
from bot.store.installs import KEY, Installs
from bot.store.keys import prefix_of
from k8s.connection import connect as connect_cluster
from k8s.identity import cluster_mark, cluster_uid
from sandbox.apiserver import ApiServer
from sandbox.fault_proxy import FaultProxy
from sandbox.faults import Fault


@pytest.fixture
def client(redis_url: str) -> Iterator["redis.Redis"]:
    client = connect(redis_url)
    yield client
    client.close()


def an_install(
    client: "redis.Redis",
    server: ApiServer | FaultProxy,
    user: str = "admin",
    *,
    named: str = "",
    enter: Enter = Installs.join,
) -> Install:
    api = connect_cluster(server.kubeconfig(user)).api
    cluster = ClusterId(lambda: cluster_uid(api), cluster_mark(api.configuration))
    return Install(Installs(client), named, cluster, enter)


def test_an_install_that_nobody_named_has_the_clusters_id(client: "redis.Redis", api_server: ApiServer) -> None:
    uid = cluster_uid(connect_cluster(api_server.kubeconfig()).api)
    install = an_install(client, api_server)
    assert install.ask()
    assert install.prefix() == prefix_of(uid)


def test_a_name_goes_before_it_and_needs_no_api_server(client: "redis.Redis", proxy: FaultProxy) -> None:
    with proxy.failing(Fault.REFUSED):
        assert an_install(client, proxy, named="prod").prefix() == prefix_of("prod")


@pytest.mark.parametrize(("bot", "person"), [("rolloutbot", "admin"), ("admin", "stranger"), ("admin", "admin")])
def test_a_terminal_reaches_the_bots_install_whoever_of_them_may_read_the_clusters_id(
    client: "redis.Redis", api_server: ApiServer, bot: str, person: str
) -> None:
    joined, guest = an_install(client, api_server, bot), an_install(client, api_server, person, enter=Installs.find)
    joined.ask()
    prefix = joined.prefix()
    guest.ask()
    assert guest.prefix() == prefix


def test_a_bot_keeps_its_data_when_it_gains_or_loses_the_right_to_read_the_id(
    client: "redis.Redis", api_server: ApiServer
) -> None:
    installs = [an_install(client, api_server, user) for user in ("rolloutbot", "admin", "rolloutbot")]
    for install in installs:
        install.ask()
    assert len({install.prefix() for install in installs}) == 1


def test_while_the_api_server_is_away_a_new_bot_waits_and_one_that_comes_again_does_not(
    client: "redis.Redis", proxy: FaultProxy
) -> None:
    new = an_install(client, proxy)
    with proxy.failing(Fault.REFUSED):
        assert not new.ask()
        with pytest.raises(StoreError, match="do not know yet which data"):
            new.prefix()
    new.ask_until_known(Event())
    prefix = new.prefix()
    again = an_install(client, proxy)
    with proxy.failing(Fault.REFUSED):
        again.ask()
        assert again.prefix() == prefix


def test_a_cluster_is_not_known_by_its_mark_before_it_was_asked(client: "redis.Redis", api_server: ApiServer) -> None:
    first, hasty = (an_install(client, api_server) for _ in range(2))
    first.ask()
    first.prefix()
    with pytest.raises(StoreError, match="do not know yet which data"):
        hasty.prefix()


def test_a_bot_that_took_the_data_of_a_cluster_with_the_same_authority_leaves_it_when_it_knows_its_own_id(
    client: "redis.Redis", proxy: FaultProxy
) -> None:
    other = an_install(client, proxy)
    other.ask()
    theirs = other.prefix()
    (mark,) = cast(list[str], client.hvals(KEY))
    client.delete(KEY)
    client.hset(KEY, "another-cluster", mark)
    ours = an_install(client, proxy)
    with proxy.failing(Fault.REFUSED):
        ours.ask()
        assert ours.prefix() == prefix_of("another-cluster")
    ours.ask_until_known(Event())
    assert ours.prefix() == theirs
