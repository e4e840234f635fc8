"""Puts the bot together and runs it: every replica answers Slack, the holder of the lease keeps time and cards."""

import logging
import threading
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any, Final

import redis
import waitress
from prometheus_client import REGISTRY

from bot.config.policy import Policy
from bot.config.settings import Settings
from bot.domain.errors import StoreError
from bot.engine.ports import Clock
from bot.operations.registry import EXECUTORS, Registry
from bot.recovery.changes import ChangeLane
from bot.service.assembly import core
from bot.service.leader import Leader
from bot.service.metrics import OperationMetrics, RolloutMetrics
from bot.service.operations import OperationParts
from bot.service.parts import Parts
from bot.service.scheduler import Timer
from bot.service.shutdown import Signals, finish, hurry
from bot.store.lease import Lease
from bot.store.store import RedisStore, nobody
from handlers.app import Handlers, build, web_client
from handlers.board.board import Board
from handlers.board.lanes import BoardThread
from handlers.board.operation_topic import OperationTopics
from handlers.board.rollout_topic import RolloutTopics
from handlers.board.topic import EveryTopic
from handlers.socket import Socket
from handlers.web import LARGEST, Check, drain, web
from k8s.cluster import Cluster

log = logging.getLogger(__name__)

OLD_REQUEST: Final = timedelta(seconds=5)
"""A request in the inbox for so long has no replica at work on it."""

DEAF_AFTER: Final = 20.0
"""Seconds without a pong of Slack's after which we are not ready."""


@dataclass
class Bot:
    """All parts of one running bot."""

    settings: Settings
    policy: Policy
    client: "redis.Redis"
    store: RedisStore
    parts: Parts
    operations: OperationParts
    handlers: Handlers
    clock: Clock
    cluster: Cluster
    socket: Socket | None = None
    board: BoardThread | None = None
    ending: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.lease = Lease(self.client)
        self.leader = Leader(self.lease, begin=self.lead, end=self.follow)
        self.changes = ChangeLane(self.parts.audit, self.leader.leads, self.parts.recovery.look_again)
        self.timer = Timer(self.store, self.parts.ticker.tick, self.leader.leads)
        catch_up = partial(self.parts.ticker.catch_up, goes_on=self.leader.leads)
        every = self.timer.every
        every(timedelta(seconds=1), "unwritten roll backs", partial(catch_up, brakes=True))
        every(timedelta(seconds=1), "unwritten intents", partial(catch_up, brakes=False))
        every(timedelta(seconds=1), "what Redis has lost", self.parts.recovery.run)
        every(timedelta(seconds=2), "waiting requests", self.resume_requests)
        every(timedelta(seconds=30), "routes", self.parts.audit.sweep)
        self.runner = self.operations.runner(self.leader.leads)
        every(timedelta(seconds=1), "due operations", self.runner.look)

    def watch(self) -> None:
        """Keep copies of routes and pools; in the leader, what changes is looked at."""
        told = self.changes
        self.cluster.watch(route_changed=told.route_changed, route_gone=told.route_gone, pool_gone=told.pool_gone)

    def lead(self) -> None:
        """Become the leader: keep time, and bring Slack up to date."""
        rollouts = RolloutTopics(self.store, self.store, self.policy.access)
        topics = EveryTopic([rollouts, OperationTopics(self.operations.records)])
        self.board = BoardThread(Board(self.store, topics, self.handlers.slack), self.clock, self.leader.leads)
        self.store.changed = self.board.wake
        self.board.start()
        self.changes.start()
        self.timer.start()

    def follow(self) -> None:
        """Be the leader no more; what is under way is finished."""
        self.timer.stop()
        self.changes.stop()
        self.store.changed = nobody
        if self.board is not None:
            self.board.stop()

    def resume_requests(self) -> None:
        """Take up requests whose replica died, or that a dependency held up."""
        self.handlers.work.resume(self.parts.engine.waiting_requests(OLD_REQUEST))

    def checks(self) -> dict[str, Check]:
        """Return what must be well for this replica to take requests."""
        socket = {"Slack": self._slack} if self.settings.socket_mode else {}
        return {"Redis": self._redis, **socket}

    def _redis(self) -> str:
        try:
            self.store.ping()
        except StoreError as error:
            return str(error)
        return ""

    def _slack(self) -> str:
        age = self.socket.pong_age() if self.socket else None
        if age is None:
            return "not connected"
        return f"no answer for {age:.0f} s" if age > DEAF_AFTER else ""


def assemble(settings: Settings, registry: Registry = EXECUTORS) -> Bot:
    """Build every part; nothing is connected yet, so the bot starts while Slack, Redis or the cluster is away."""
    behind = core(settings, registry=registry)
    secret = settings.slack_signing_secret.get_secret_value() if settings.slack_signing_secret else ""
    slack = web_client(settings.slack_bot_token.get_secret_value(), base_url=settings.slack_api_url)
    handlers = build(
        behind.parts.engine,
        behind.store,
        behind.clock,
        behind.policy,
        slack,
        operations=behind.operations.requests,
        signing_secret="" if settings.socket_mode else secret,
    )
    return Bot(
        settings,
        behind.policy,
        behind.client,
        behind.store,
        behind.parts,
        behind.operations,
        handlers,
        behind.clock,
        behind.cluster,
    )


def run(settings: Settings, registry: Registry = EXECUTORS) -> None:
    """Run until SIGTERM or SIGINT."""
    signals = Signals()
    bot = assemble(settings, registry)
    REGISTRY.register(RolloutMetrics(bot.store, bot.leader.leads))
    REGISTRY.register(OperationMetrics(bot.operations.records))
    server = _serve(bot)
    if settings.slack_app_token is not None:
        bot.socket = Socket(bot.handlers.app, settings.slack_app_token.get_secret_value())
    bot.watch()
    bot.leader.start()
    threading.Thread(target=_connect, args=(bot,), name="connect", daemon=True).start()
    signals.wait()
    _end(bot, server)


def _end(bot: Bot, server: Any) -> None:
    """Take no more work, finish what is in hand, and give the lease back; what is not finished stays in Redis."""
    log.info("stopping")
    hurry()
    bot.ending.set()
    finish(
        {
            "requests by HTTP": partial(drain, server),
            "Socket Mode": bot.socket.close if bot.socket else _nothing,
            "people's requests": bot.handlers.close,
            "timer and board": bot.leader.stop,
            "steps of operations": bot.runner.close,
            "watches": bot.cluster.close,
        }
    )
    bot.lease.give_back()
    log.info("stopped")


def _nothing() -> None:
    """There is no socket in HTTP mode."""


def _serve(bot: Bot) -> Any:
    """Listen, and answer in threads of the server's own."""
    app = None if bot.settings.socket_mode else bot.handlers.app
    host, port = bot.settings.http
    server = waitress.create_server(
        web(bot.checks(), app=app, is_ending=bot.ending.is_set),
        host=host,
        port=port,
        threads=32,
        ident="rolloutbot",
        max_request_body_size=LARGEST,
    )
    threading.Thread(target=server.run, name="http", daemon=True).start()
    log.info("listening on %s:%s", host, port)
    return server


def _connect(bot: Bot) -> None:
    """Connect Socket Mode, and keep trying while Slack is away."""
    while bot.socket is not None and not bot.ending.is_set():
        try:
            bot.socket.connect()
        except Exception as error:
            log.warning("Slack cannot be reached (%s); trying again", type(error).__name__)
            bot.ending.wait(3)
        else:
            break
    log.info("ready for %s in namespaces %s", bot.policy.command, ", ".join(bot.policy.namespaces))
