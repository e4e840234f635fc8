"""Puts the bot together and runs it: every replica answers Slack, the holder of the lease keeps time and cards."""

import logging
import signal
import threading
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, Final

import redis
import waitress
from prometheus_client import REGISTRY

from bot.clock import SystemClock
from bot.domain.errors import StoreError
from bot.engine import Engine
from bot.lease import Lease
from bot.metrics import RolloutMetrics
from bot.noticing import Noticer
from bot.policy import Policy
from bot.redis_connection import connect
from bot.settings import Settings, read_policy
from bot.store import RedisStore, nobody
from bot.timer import Timer
from handlers.app import Handlers, build, web_client
from handlers.board import Board
from handlers.board_thread import BoardThread
from handlers.socket import Socket
from handlers.web import LARGEST, Check, web
from k8s.client import connect as connect_cluster
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
    engine: Engine
    handlers: Handlers
    timer: Timer
    clock: SystemClock
    cluster: Cluster
    noticer: Noticer
    socket: Socket | None = None
    board: BoardThread | None = None

    def watch(self) -> None:
        """Keep copies of routes and pools; in the leader, what changes is looked at."""
        told = self.noticer
        self.cluster.watch(route_changed=told.route_changed, route_gone=told.route_gone, pool_gone=told.pool_gone)

    def lead(self) -> None:
        """Become the leader: keep time, and bring Slack up to date."""
        self.board = BoardThread(Board(self.store, self.store, self.handlers.slack, self.policy.access), self.clock)
        self.store.changed = self.board.wake
        self.board.start()
        self.noticer.start()
        self.timer.start()

    def follow(self) -> None:
        """Be the leader no more; what is under way is finished."""
        self.timer.stop()
        self.noticer.stop()
        self.store.changed = nobody
        if self.board is not None:
            self.board.stop()

    def resume_requests(self) -> None:
        """Take up requests whose replica died, or that a dependency held up."""
        self.handlers.work.resume(self.engine.waiting_requests(OLD_REQUEST))

    def checks(self) -> dict[str, Check]:
        """Return what must be well for this replica to take requests."""
        socket = {"Slack": self._slack} if self.settings.socket_mode else {}
        return {"Redis": self._redis, **socket}

    def _redis(self) -> str:
        try:
            self.store.ping()
        except StoreError as error:
            return error.message
        return ""

    def _slack(self) -> str:
        age = self.socket.pong_age() if self.socket else None
        if age is None:
            return "not connected"
        return f"no answer for {age:.0f} s" if age > DEAF_AFTER else ""


def assemble(settings: Settings) -> Bot:
    """Build every part; nothing is connected yet, so the bot starts while Slack, Redis or the cluster is away."""
    connection = connect_cluster(settings.kubeconfig)
    policy = (
        read_policy(settings.config, default_namespace=connection.namespace)
        if settings.config
        else Policy(namespaces=(connection.namespace,))
    )
    client, clock = connect(settings.redis_url.get_secret_value()), SystemClock()
    store = RedisStore(client)
    cluster = Cluster(connection.api, policy.namespaces, command=policy.command, now=clock.now)
    engine = Engine(cluster, store, clock, policy)
    secret = settings.slack_signing_secret.get_secret_value() if settings.slack_signing_secret else ""
    slack = web_client(settings.slack_bot_token.get_secret_value(), base_url=settings.slack_api_url)
    handlers = build(engine, store, clock, policy, slack, signing_secret="" if settings.socket_mode else secret)
    timer = Timer(store, engine.ticker.tick)
    noticer = Noticer(engine.inspector)
    bot = Bot(settings, policy, client, store, engine, handlers, timer, clock, cluster, noticer)
    timer.every(timedelta(seconds=1), "unwritten roll backs", partial(engine.ticker.catch_up, brakes=True))
    timer.every(timedelta(seconds=1), "unwritten intents", partial(engine.ticker.catch_up, brakes=False))
    timer.every(timedelta(seconds=1), "what Redis has lost", engine.keeper.keep)
    timer.every(timedelta(seconds=2), "waiting requests", bot.resume_requests)
    timer.every(timedelta(seconds=30), "routes", engine.inspector.inspect)
    return bot


def run(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT: take no more work then, finish what is in hand, give the lease back."""
    bot = assemble(settings)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    lease = Lease(bot.client, gained=bot.lead, lost=bot.follow)
    REGISTRY.register(RolloutMetrics(bot.store, lambda: lease.held))
    server = _serve(bot)
    if settings.slack_app_token is not None:
        bot.socket = Socket(bot.handlers.app, settings.slack_app_token.get_secret_value())
    bot.watch()
    lease.start()
    _connect(bot, stopping)
    log.info("ready for %s in namespaces %s", bot.policy.command, ", ".join(bot.policy.namespaces))
    stopping.wait()
    log.info("stopping")
    if bot.socket is not None:
        bot.socket.close()
    server.close()
    bot.handlers.close()
    lease.stop()
    bot.cluster.close()


def _serve(bot: Bot) -> Any:
    """Listen, and answer in threads of the server's own."""
    app = None if bot.settings.socket_mode else bot.handlers.app
    host, port = bot.settings.http
    server = waitress.create_server(
        web(bot.checks(), app=app), host=host, port=port, threads=32, ident="rolloutbot", max_request_body_size=LARGEST
    )
    threading.Thread(target=server.run, name="http", daemon=True).start()
    log.info("listening on %s:%s", host, port)
    return server


def _connect(bot: Bot, stopping: threading.Event) -> None:
    """Connect Socket Mode, and keep trying while Slack is away."""
    while bot.socket is not None and not stopping.is_set():
        try:
            bot.socket.connect()
        except Exception as error:
            log.warning("Slack cannot be reached (%s); trying again", type(error).__name__)
            stopping.wait(3)
        else:
            return
