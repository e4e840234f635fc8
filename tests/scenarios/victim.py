"""A process that takes one request through the bot's one path and dies by SIGKILL at a named effect."""

import os
import signal
from dataclasses import dataclass
from functools import partial
from typing import Any

from bot.config.policy import Policy
from bot.domain.commands.request import Request
from bot.domain.rollout import Entry
from bot.engine.gateway_word import GatewaySays
from bot.engine.route_port import Routes
from bot.service.parts import put_together
from handlers.app import web_client
from handlers.board.board import Board
from handlers.board.rollout_topic import RolloutTopics
from handlers.slack import Slack
from k8s.cluster import Cluster
from k8s.connection import connect as connect_cluster
from sandbox.process import wait_until
from sandbox.slack import BOT_TOKEN
from tests.handlers.board.one_round import one_round
from tests.memory import a_memory
from tests.stage import NOTES, HandClock


@dataclass(frozen=True)
class Death:
    """Where a process dies: before or after the first call of a method."""

    method: str
    after: bool


@dataclass(frozen=True)
class Place:
    """The servers of a test, for another process."""

    kubeconfig: str
    namespace: str
    redis_url: str
    slack_url: str


class Deadly:
    """A port that kills its process around one call; a rehearsal of a write does not count."""

    def __init__(self, port: Any, death: Death) -> None:
        self._port, self._death = port, death

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)
        if name != self._death.method:
            return method

        def call(*args: Any, **kwargs: Any) -> Any:
            rehearsed = bool(kwargs.get("rehearse"))
            result = method(*args, **kwargs) if rehearsed or self._death.after else None
            if not rehearsed:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return call


def do(place: Place, death: Death, request: Request) -> None:
    """Receive, decide, apply and draw, and draw again when the gateway has spoken, until death."""
    clock, namespaces = HandClock(), (place.namespace,)
    clock.set(request.at)
    memory = a_memory(place.redis_url)
    store: Any = Deadly(memory.store, death)
    routes: Any = Deadly(Cluster(connect_cluster(place.kubeconfig).api, namespaces, notes=NOTES), death)
    slack: Any = Deadly(Slack(web_client(BOT_TOKEN, base_url=f"{place.slack_url}/api/")), death)
    parts = put_together(routes, store, memory.for_rebuild, clock, Policy(namespaces=namespaces))
    parts.engine.receive(request)
    parts.engine.process(request)
    board = Board(store, RolloutTopics(store, store, Policy(namespaces=namespaces).access), slack)
    one_round(board, clock.now())
    for entry in store.entries():
        wait_until("the gateway's word", partial(_is_accepted, routes, entry), seconds=10)
        clock.forward(seconds=5)
        parts.ticker.tick(entry.rollout.id)
    one_round(board, clock.now())


def _is_accepted(routes: Routes, entry: Entry) -> bool:
    copy = routes.read(entry.rollout.namespace, entry.rollout.route)
    word = routes.gateway_word(copy, entry.rollout, copy.generation)
    return word.says(entry.rollout.known) is GatewaySays.ACCEPTED
