"""Real servers for the tests: one process of each per session, a namespace or a database of its own per test."""

import itertools
import logging
import secrets
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from hypothesis import settings
from xdist.scheduler import LoadFileScheduling

from sandbox import apiserver, slack
from sandbox import valkey as valkey_server
from sandbox.binaries import binaries, crds
from sandbox.dataplane.programs import programs
from sandbox.fault_proxy import FaultProxy, fault_proxy
from sandbox.kube import Kube
from sandbox.robot import Robot
from sandbox.robot import robot as running_robot
from sandbox.workplace import Workplace, workplace
from sandbox.world import World, create_namespace, create_world
from tests.memory import PREFIX
from tests.stage import Stage, a_stage

_databases = itertools.count()

# How long an example takes says nothing on a busy machine; timings go to bench/.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


LONGEST = ("traffic", "scenarios", "seams")
"""The folders with whole stories."""
ONE_WORKER = "tests/traffic/"
"""The folder whose tests share a data plane, so that one worker has to run them all."""


class ByFile(LoadFileScheduling):  # type: ignore[misc]
    """Gives each worker whole files, and one worker a whole folder."""

    def _split_scope(self, nodeid: str) -> str:
        return ONE_WORKER if nodeid.startswith(ONE_WORKER) else str(super()._split_scope(nodeid))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile:
    """Say which tests go to the same worker; asked only where there are several."""
    return ByFile(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the whole stories: they take longest, and none should be left to one worker at the end."""
    folders = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: folders.get(item.path.parent.name, len(LONGEST)))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build before the first test: it can take minutes, people want to see it, and the time limits are for tests."""
    names = {name for item in session.items if isinstance(item, pytest.Function) for name in item.fixturenames}
    if session.config.option.collectonly:
        return
    capture = session.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        if "api_server" in names:
            binaries()
            crds()
        if "local_slack" in names:
            slack.slack_binary()
        if "whole_plane" in names:
            programs()


@pytest.fixture
def logging_as_it_was() -> Iterator[None]:
    """Let a test configure the logs as the program does."""
    root = logging.getLogger()
    before = (root.handlers[:], root.level, sys.excepthook, threading.excepthook)
    yield
    root.handlers[:], level, sys.excepthook, threading.excepthook = before
    root.setLevel(level)
    logging.captureWarnings(False)


@pytest.fixture(scope="session")
def place() -> Iterator[Workplace]:
    """Return the folder of this session's servers."""
    with workplace(prefix="tests") as place:
        yield place


@pytest.fixture(scope="session")
def api_server(place: Workplace) -> Iterator[apiserver.ApiServer]:
    """Return a real API server with the custom resources. It is everybody's: do not stop it."""
    with apiserver.api_server(place) as running:
        yield running


@pytest.fixture
def proxy(api_server: apiserver.ApiServer) -> Iterator[FaultProxy]:
    """Return a proxy in front of the API server that fails when it is told to; clients reach it by its kubeconfig."""
    with fault_proxy(api_server) as running:
        yield running


@pytest.fixture(scope="session")
def kube(api_server: apiserver.ApiServer) -> Iterator[Kube]:
    """Return a client of the API server that may do everything."""
    client = api_server.client()
    yield client
    client.close()


@pytest.fixture
def namespace(kube: Kube) -> str:
    """Return a new namespace."""
    name = f"test-{secrets.token_hex(4)}"
    create_namespace(kube, name)
    return name


@pytest.fixture
def robot(kube: Kube, namespace: str) -> Iterator[Robot]:
    """Return the kubelet and gateway controller of the test's namespace."""
    with running_robot(kube, namespace) as player:
        yield player


@pytest.fixture
def world(kube: Kube, namespace: str, robot: Robot) -> World:
    """Return the guide's world in the test's namespace, its route accepted by the gateway."""
    built = create_world(kube, namespace)
    built.wait_observed()
    return built


@pytest.fixture(scope="session")
def valkey(place: Workplace) -> Iterator[valkey_server.Valkey]:
    """Return a real Valkey. It is everybody's: do not stop it."""
    with valkey_server.valkey(place) as running:
        yield running


@pytest.fixture
def own_valkey() -> Iterator[valkey_server.Valkey]:
    """Return a Valkey of the test's own, which it may freeze and kill."""
    with workplace(prefix="tests") as place, valkey_server.valkey(place) as running:
        yield running


@pytest.fixture
def redis_url(valkey: valkey_server.Valkey) -> str:
    """Return the address of an empty database that is declared whole, as a leader does with a new one."""
    url = valkey.url(next(_databases) % valkey_server.DATABASES)
    with redis.Redis.from_url(url) as client:
        client.flushdb()
        client.hset(f"{PREFIX}store", mapping={"epoch": 1, "writes": 0})
    return url


@pytest.fixture(scope="session")
def local_slack(place: Workplace) -> Iterator[slack.Slack]:
    """Return a Slack with Socket Mode. It is everybody's: call ``reset()`` before use."""
    with slack.local_slack(place) as running:
        yield running


@pytest.fixture
def stage(api_server: apiserver.ApiServer, world: World, redis_url: str) -> Stage:
    """Return the engine on real servers, with a clock that the test moves."""
    return a_stage(api_server, world, redis_url)
