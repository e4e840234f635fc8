"""A process that receives a request about an operation, takes its steps and draws its card, and dies by SIGKILL."""

import os
import signal
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from bot.config.policy import Policy
from bot.domain.commands.request import Request
from bot.engine.lookup import Lookup
from bot.operations.executor import Tools
from bot.operations.registry import Registry
from bot.operations.requests import OperationRequests
from bot.operations.runner import Runner
from bot.service.parts import put_together
from handlers.app import web_client
from handlers.board.board import Board
from handlers.board.operation_topic import OperationTopics
from handlers.slack import Slack
from k8s.cluster import Cluster
from k8s.connection import connect as connect_cluster
from k8s.trials import ClusterTrials
from sandbox.slack import BOT_TOKEN
from tests.handlers.board.one_round import one_round
from tests.memory import a_memory
from tests.scenarios.victim import Place
from tests.seams.copy_config_maps import ConfigMaps, CopyConfigMaps
from tests.stage import HandClock


@dataclass(frozen=True)
class Death:
    """Where a process dies: before or after one call of a method; ``call`` counts from 1."""

    method: str
    call: int
    after: bool


class Deadly:
    """A port that kills its process around one call."""

    def __init__(self, port: Any, death: Death | None) -> None:
        self._port, self._death, self._calls = port, death, 0

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)
        death = self._death
        if death is None or name != death.method:
            return method

        def call(*args: Any, **kwargs: Any) -> Any:
            self._calls += 1
            if self._calls < death.call:
                return method(*args, **kwargs)
            if death.after:
                method(*args, **kwargs)
            return os.kill(os.getpid(), signal.SIGKILL)

        return call


def deadly(port: object, death: Death | None) -> Any:
    """Return a port that kills its process, as that port."""
    return Deadly(port, death)


class Process:
    """A bot as far as operations need one: intake, runner and board, on the servers of a test."""

    def __init__(self, place: Place, now: datetime, death: Death | None = None) -> None:
        memory, policy = a_memory(place.redis_url), Policy(namespaces=(place.namespace,))
        self.clock = HandClock()
        self.clock.set(now)
        api = connect_cluster(place.kubeconfig).api
        self.config_maps = deadly(ConfigMaps(api, place.namespace), death)
        self.inbox = deadly(memory.store, death)
        self.operations = deadly(memory.operations, death)
        slack = deadly(Slack(web_client(BOT_TOKEN, base_url=f"{place.slack_url}/api/")), death)
        self._registry = Registry((CopyConfigMaps(self.config_maps),))
        cluster = Cluster(api, policy.namespaces)
        self._tools = Tools(
            routes=cluster,
            rollouts=Lookup(memory.store, self.clock),
            trials=ClusterTrials(api, policy.namespaces, self.clock.now),
            removals=cast(Any, None),
            deployments=cast(Any, None),
            way_back=cast(Any, None),
            clock=self.clock,
            policy=policy,
            goes_on=lambda: True,
        )
        requests = OperationRequests(
            self._registry, self.operations, self._tools, receive=self.inbox.receive, drop=self.inbox.drop
        )
        self.engine = put_together(cluster, self.inbox, memory.for_rebuild, self.clock, policy, requests.decide).engine
        self.board = Board(self.inbox, OperationTopics(self.operations), slack)

    def take_steps(self) -> None:
        """Take every step that is due, in a runner that ends then."""
        runner = Runner(self._registry, self.operations, self._tools)
        runner.look()
        runner.close()


def do(place: Place, now: datetime, death: Death, request: Request) -> None:
    """Receive, decide, draw, take steps, and draw again, until death."""
    process = Process(place, now, death)
    process.engine.receive(request)
    process.engine.process(request)
    one_round(process.board, process.clock.now())
    process.take_steps()
    process.clock.forward(seconds=5)
    one_round(process.board, process.clock.now())
