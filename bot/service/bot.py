"""Puts the bot together and runs it: every replica answers Slack, the holder of the lease keeps time and cards."""

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

import redis
from prometheus_client import REGISTRY

from bot.config.policy import Policy
from bot.config.settings import Address, Settings
from bot.domain.deadlines import WATCH_GATES_EVERY
from bot.domain.errors import StoreError
from bot.gates.judging.shares import load_statistics
from bot.operations.registry import EXECUTORS, Registry
from bot.recovery import pool_news, status_news
from bot.recovery.changes import ChangeLane
from bot.recovery.pool_news import PoolNews
from bot.recovery.status_news import StatusNews
from bot.service.assembly import shared_parts
from bot.service.by_itself import look_for_work
from bot.service.install import Install
from bot.service.leader import Leader
from bot.service.metrics import OperationMetrics, RolloutMetrics
from bot.service.operations import OperationParts
from bot.service.parts import Parts
from bot.service.scheduler import Timer
from bot.service.shutdown import Signals, finish, hurry
from bot.store.clock import RedisClock
from bot.store.connection import connect, ping
from bot.store.connections import RedisConnections
from bot.store.installs import Installs
from bot.store.lease import Lease
from bot.store.names import SlackNames
from bot.store.store import RedisStore
from handlers.app import Handlers, build, web_client
from handlers.board.bell import Bell
from handlers.board.board import Board
from handlers.board.lanes import BoardThread
from handlers.board.operation_topic import OperationTopics
from handlers.board.rollout_topic import RolloutTopics, nothing
from handlers.board.topic import EveryTopic
from handlers.census import Census
from handlers.clean_button import offer_clean
from handlers.socket import Socket
from handlers.tokens import BotToken
from handlers.web import probes, slack_requests
from handlers.web.probes import Check
from handlers.web.server import Server, listen
from k8s.cluster import Cluster

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

log = logging.getLogger(__name__)

OLD_REQUEST: Final = timedelta(seconds=5)
"""A request that has been in the inbox for this long is tried by the leader too: its replica may have died. If it has
not, whoever decides first wins, and the other one finds it decided.
"""

CONNECT_AGAIN: Final = 3.0
"""Seconds until the first connection to Slack is tried again; the SDK does the same for later ones."""

DEAF_AFTER: Final = 20.0
"""Seconds without a pong of Slack's after which we are not ready."""


@dataclass
class Bot:
    """All parts of one running bot."""

    settings: Settings
    policy: Policy
    client: "redis.Redis"
    install: Install
    store: RedisStore
    parts: Parts
    bell: Bell
    operations: OperationParts
    handlers: Handlers
    clock: RedisClock
    cluster: Cluster
    census: Census
    socket: Socket | None = None
    board: BoardThread | None = None
    ending: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.token = BotToken(self.handlers.slack)
        self.lease = Lease(self.client, self.install.prefix)
        self.leader = Leader(self.lease, begin=self.lead, end=self.follow)
        self.changes = ChangeLane(self.parts.audit, self.leader.leads, self.parts.recovery.look_again)
        self.status_news = StatusNews(self.store, self.parts.ticker.hear)
        self.pool_news = PoolNews(self.cluster, self.store, self.clock, self.store.events)
        self.timer = Timer(self.store, self.clock, self.parts.ticker.tick, self.leader.leads)
        catch_up = partial(self.parts.ticker.catch_up, goes_on=self.leader.leads)
        every = self.timer.every
        every(timedelta(seconds=1), "unwritten roll backs", partial(catch_up, brakes=True))
        every(timedelta(seconds=1), "unwritten intents", partial(catch_up, brakes=False))
        every(timedelta(seconds=1), "what Redis lost", self.parts.recovery.run)
        every(status_news.EVERY, "what gateways say", partial(self.status_news.sweep, goes_on=self.leader.leads))
        every(pool_news.EVERY, "both pools", partial(self.pool_news.sweep, goes_on=self.leader.leads))
        every(timedelta(seconds=2), "waiting requests", self.resume_requests)
        every(WATCH_GATES_EVERY, "gates between steps", partial(self.parts.gate_watch.sweep, goes_on=self.leader.leads))
        every(timedelta(seconds=30), "routes", self.parts.audit.sweep)
        every(timedelta(seconds=30), "the list of installs", self.install.stay)
        self.runner = self.operations.runner(self.leader.leads)
        if self.operations.registry.executors:
            every(timedelta(seconds=1), "due operations", self.runner.look)
            every(timedelta(minutes=1), "what operations left", self.runner.sweep)
        look_for_work(every, self.policy, self.operations, self.store, self.cluster, self.clock)

    def watch(self) -> None:
        """Keep copies of routes and pools; the leader also looks at every change."""
        told = self.changes
        self.cluster.watch(
            route_changed=told.route_changed,
            route_gone=told.route_gone,
            pool_gone=told.pool_gone,
            route_status=self.status_news.status_changed,
            pool_ending=told.pool_ending,
            health_changed=self.pool_news.health_changed,
        )

    def lead(self) -> None:
        """Become the leader: keep time, and bring Slack up to date."""
        offer = offer_clean if self.policy.clean.allowed else nothing
        rollouts = RolloutTopics(self.store, self.store, self.policy.access, self.policy.tell, offer)
        topics = EveryTopic([rollouts, OperationTopics(self.operations.records)])
        board = Board(self.store, topics, self.handlers.slack)
        self.board = BoardThread(board, self.clock, self.bell, self.leader.leads)
        self.board.start()
        self.changes.start()
        self.timer.start()

    def follow(self) -> None:
        """Finish what is under way, and stop leading."""
        self.timer.stop()
        self.changes.stop()
        if self.board is not None:
            self.board.stop()

    def resume_requests(self) -> None:
        """Go on with requests whose replica died, or that a dependency delayed."""
        self.handlers.work.resume(self.parts.engine.waiting_requests(OLD_REQUEST))

    def checks(self) -> dict[str, Check]:
        """Return what must work for this replica to take requests."""
        return {"Redis": self._redis, "Slack": self._slack}

    def warnings(self) -> Sequence[str]:
        """Return what somebody should mend, though this replica takes requests."""
        return [*self.cluster.refusals(), *self.census.warnings()]

    def _redis(self) -> str:
        try:
            ping(self.client)
            self.install.prefix()
        except StoreError as error:
            return str(error)
        return ""

    def _slack(self) -> str:
        if refusal := self.token.refusal or (self.socket.refusal if self.socket else ""):
            return refusal
        if not self.settings.socket_mode:
            return ""
        age = self.socket.pong_age() if self.socket else None
        if age is None:
            return "not connected"
        return f"no answer for {age:.0f} s" if age > DEAF_AFTER else ""


def assemble(settings: Settings, registry: Registry = EXECUTORS) -> Bot:
    """Build every part without connecting, so that the bot starts while Slack, Redis or the cluster is away."""
    bell = Bell()
    client = connect(settings.redis_url.get_secret_value())
    clock = RedisClock(client)
    behind = shared_parts(settings, client, clock, enter=Installs.join, fell_behind=bell.ring, registry=registry)
    slack = web_client(settings.slack_bot_token.get_secret_value(), base_url=settings.slack_api_url)
    names = SlackNames(behind.client, behind.install.prefix)
    census = Census(RedisConnections(behind.client, behind.install.prefix, clock), clock)
    handlers = build(
        behind.parts.engine,
        behind.store,
        clock,
        behind.policy,
        slack,
        operations=behind.operations.requests,
        remember=names.remember,
        was_seen=lambda user: behind.policy.access.names(user) or bool(names.of(user)),
        others=census.in_vain,
        shown=behind.store.shown,
    )
    return Bot(
        settings=settings,
        policy=behind.policy,
        client=client,
        install=behind.install,
        store=behind.store,
        parts=behind.parts,
        bell=bell,
        operations=behind.operations,
        handlers=handlers,
        clock=clock,
        cluster=behind.cluster,
        census=census,
    )


def run(settings: Settings, registry: Registry = EXECUTORS) -> None:
    """Run until SIGTERM or SIGINT."""
    signals = Signals()
    bot = assemble(settings, registry)
    if not settings.note_keys:
        log.warning("notes on routes are not signed: ROLLOUTBOT_NOTE_KEYS is not set")
    REGISTRY.register(RolloutMetrics(bot.store, bot.leader.leads, bot.clock))
    REGISTRY.register(OperationMetrics(bot.operations.records))
    _begin("Redis's time", bot.clock.ask_until, bot.ending)
    _begin("cluster's id", bot.install.ask_until_known, bot.ending)
    _begin("token", bot.token.watch, bot.ending)
    if bot.policy.evidence.prometheus:
        _begin("statistics", load_statistics)  # before a gate waits for it
    server = _take_requests(bot)
    _answer_probes(bot)  # alive means that the other one listens too
    if settings.slack_app_token is not None:
        token, census = settings.slack_app_token.get_secret_value(), bot.census
        bot.socket = Socket(bot.handlers.app, token, opened=census.opens, counted=census.hears)
        _begin("census", census.run, bot.socket.is_connected, bot.socket.look, bot.ending)
    bot.watch()
    bot.leader.start()
    _begin("connect", _connect, bot)
    signals.wait()
    _end(bot, server)


def _begin(name: str, work: Callable[..., None], *args: object) -> None:
    """Run it in a thread that ends with the process."""
    threading.Thread(target=work, args=args, name=name, daemon=True).start()


def _end(bot: Bot, server: Server | None) -> None:
    """Take no more work, finish what runs, and give the lease back; unfinished work stays in Redis."""
    log.info("stopping")
    hurry()
    bot.ending.set()
    finish(
        {
            "requests by HTTP": server.drain if server else _nothing,
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
    """There is no HTTP in Socket Mode, and no socket in HTTP mode."""


def _answer_probes(bot: Bot) -> None:
    """Answer the kubelet and Prometheus where no request of others can keep them waiting."""
    asked = probes.probes(bot.checks(), is_ending=bot.ending.is_set, warnings=bot.warnings)
    _serve("probes", asked, bot.settings.probes, threads=probes.THREADS)


def _take_requests(bot: Bot) -> Server | None:
    """Take Slack's requests by HTTP, unless Socket Mode does."""
    secret = bot.settings.slack_signing_secret
    if bot.settings.socket_mode or secret is None:
        return None
    taken = slack_requests.slack_requests(bot.handlers.app, secret.get_secret_value(), is_ending=bot.ending.is_set)
    return _serve("Slack's requests", taken, bot.settings.http, threads=slack_requests.THREADS)


def _serve(what: str, application: "WSGIApplication", address: Address, *, threads: int) -> Server:
    """Listen, and answer in threads of the server's own."""
    server = listen(application, *address, threads=threads)
    _begin(what, server.run)
    log.info("listening for %s on %s:%s", what, *address)
    return server


def _connect(bot: Bot) -> None:
    """Connect Socket Mode, and keep trying while Slack is away."""
    while bot.socket is not None and not bot.ending.is_set():
        with suppress(Exception):  # the connection has logged it
            bot.socket.connect()
            break
        bot.ending.wait(CONNECT_AGAIN)
    log.info("ready for %s in namespaces %s", bot.policy.command, ", ".join(bot.policy.namespaces))
