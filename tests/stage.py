"""A stage for stories: the engine on a real API server and a real Valkey, with a clock that a test moves."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import redis

from bot.config.policy import Policy
from bot.domain.commands.request import Command, Request, StartWords
from bot.domain.plan import Wishes
from bot.domain.rollout import Entry, Phase, Rollout
from bot.engine.apply import Applier
from bot.engine.engine import Engine, Outcome
from bot.engine.lookup import Lookup
from bot.engine.notes import Notes, own_note
from bot.engine.route_port import RouteCopy, Routes
from bot.engine.store_port import Store
from bot.engine.tick import Ticker
from bot.recovery.audit import Audit
from bot.recovery.store_recovery import StoreRecovery
from bot.service.parts import Parts, put_together
from bot.store.connection import connect
from bot.store.store import Memory, RedisStore
from k8s.cluster import Cluster
from k8s.connection import connect as connect_cluster
from sandbox.apiserver import ApiServer
from sandbox.bot_process import NOTE_KEY
from sandbox.process import wait_until
from sandbox.world import World
from tests.builders import ALICE, BOB, CANARY, IN_CHANNEL
from tests.memory import a_memory


class HandClock:
    """A clock that stands still until a test moves it; naps take no time."""

    def __init__(self) -> None:
        self._now = datetime.now(UTC)

    def now(self) -> datetime:
        """Return the time it shows."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Return at once."""

    def set(self, now: datetime) -> None:
        """Set it."""
        self._now = now

    def forward(self, **by: float) -> None:
        """Move it."""
        self._now += timedelta(**by)


class Meddler:
    """A port with somebody standing beside it: does one thing before or after the next call of a method."""

    def __init__(self, port: Any) -> None:
        self._port = port
        self._before: dict[str, Callable[[], object]] = {}
        self._after: dict[str, Callable[[], object]] = {}
        self._always: dict[str, Callable[[], object]] = {}
        self.calls: list[str] = []

    def before(self, method: str, act: Callable[[], object]) -> None:
        """Act once, before the next call of a method."""
        self._before[method] = act

    def always(self, method: str, act: Callable[[], object]) -> None:
        """Act before every call of a method."""
        self._always[method] = act

    def after(self, method: str, act: Callable[[], object]) -> None:
        """Act once, after the next call of a method: its reply is then lost where ``act`` raises."""
        self._after[method] = act

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)
        if not callable(method):
            return method

        def call(*args: Any, **kwargs: Any) -> Any:
            self.calls.append(name)
            self._always.get(name, lambda: None)()
            self._before.pop(name, lambda: None)()
            result = method(*args, **kwargs)
            self._after.pop(name, lambda: None)()
            return result

        return call


NOTES = Notes((NOTE_KEY.encode(),))


@dataclass
class Stage:
    """The engine, its ports, and short words for what people do."""

    world: World
    redis: "redis.Redis"
    cluster: Cluster
    clock: HandClock
    policy: Policy
    kept: Memory = field(init=False)
    routes: Meddler = field(init=False)
    memory: Meddler = field(init=False)
    parts: Parts = field(init=False)
    deliveries: int = 0

    def __post_init__(self) -> None:
        self.kept = a_memory(self.redis)
        self.routes, self.memory = Meddler(self.cluster), Meddler(self.store)
        self.parts = self.replica()

    def replica(self, routes: Routes | None = None, store: Store | None = None) -> Parts:
        """Return another replica on the same servers."""
        ports = routes or self.routes, store or self.memory, self.kept.for_rebuild, self.clock
        return put_together(*ports, self.policy)

    @property
    def store(self) -> RedisStore:
        """Return the store, with nobody standing beside it."""
        return self.kept.store

    @property
    def engine(self) -> Engine:
        """Return what people's words reach."""
        return self.parts.engine

    @property
    def ticker(self) -> Ticker:
        """Return what the timer calls."""
        return self.parts.ticker

    @property
    def lookup(self) -> Lookup:
        """Return what finds the rollout that people mean."""
        return Lookup(self.store, self.clock)

    @property
    def applier(self) -> Applier:
        """Return what writes routes."""
        return self.parts.applier

    @property
    def audit(self) -> Audit:
        """Return what compares routes with records."""
        return self.parts.audit

    @property
    def recovery(self) -> StoreRecovery:
        """Return what takes up again what Redis lost."""
        return self.parts.recovery

    def request(self, verb: str, *, by: str = BOB, subject: str = CANARY, reason: str = "", **more: Any) -> Request:
        """Return a request that nobody has received yet."""
        self.deliveries += 1
        command = Command(verb=verb, subject=subject, reason=reason, start=more.pop("start", None))
        delivery = f"{self.world.namespace}-{self.deliveries}"
        return Request(command=command, by=by, origin=IN_CHANNEL, delivery=delivery, at=self.clock.now(), **more)

    def ask(self, request: Request) -> Outcome | None:
        """Receive a request and do it."""
        self.engine.receive(request)
        return self.engine.process(request)

    def say(self, verb: str, **more: Any) -> Entry:
        """Ask for a verb and return the rollout after it."""
        outcome = self.ask(self.request(verb, **more))
        assert outcome is not None
        return outcome.entry

    def elsewhere(self, verb: str) -> None:
        """Have another replica, with nobody standing beside it, carry out a verb."""
        other, request = self.replica(self.cluster, self.store).engine, self.request(verb)
        other.receive(request)
        other.process(request)

    def start(self, weight: int = 10, *, subject: str = CANARY, wishes: Wishes | None = None, **more: Any) -> Entry:
        """Alice starts a rollout; without marks unless ``wishes`` says otherwise."""
        words = self.words(weight, wishes, **more)
        return self.say("start", by=ALICE, subject=subject, start=words)

    def words(self, weight: int, wishes: Wishes | None = None, **more: Any) -> StartWords:
        """Return the words of a start without marks."""
        return StartWords(weight=weight, wishes=wishes or Wishes(approve_at=()), **more)

    def started(self, weight: int = 10, **more: Any) -> Entry:
        """Alice starts a rollout and the gateway accepts it."""
        entry = self.start(weight, **more)
        self.wait_observed()
        self.pass_time(seconds=1)
        return self.load(entry.rollout.id)

    def lose_redis(self) -> None:
        """Empty the store, and let the leader notice."""
        self.redis.flushdb()
        self.recovery.run()

    def load(self, rollout_id: str) -> Entry:
        """Return what is stored of a rollout."""
        entry = self.store.load(rollout_id)
        assert entry is not None
        return entry

    def pass_time(self, **by: float) -> None:
        """Move the clock, and let the timer and the sweep of unwritten intents look once."""
        self.clock.forward(**by)
        for rollout_id, _ in self.store.claim_due(self.clock.now()):
            self.ticker.tick(rollout_id)
        for brakes in (True, False):
            self.ticker.catch_up(brakes=brakes)

    def step(self) -> None:
        """Let one interval pass, and the gateway accept what came of it."""
        self.pass_time(minutes=10)
        self.wait_observed()
        self.pass_time(seconds=1)

    def wait_observed(self) -> None:
        """Wait until the gateway has answered the newest spec, and the watch, where there is one, has heard it."""
        self.world.wait_observed()
        wait_until("the gateway's answer in the watch's copy", self._has_heard, seconds=5)

    def _has_heard(self) -> bool:
        kept = self.cluster.kept(self.world.namespace, self.world.route)
        return kept is None or kept.document["metadata"] == self.world.http_route()["metadata"]

    def step_without_gateway(self) -> None:
        """Let one interval pass, where no gateway will answer."""
        self.pass_time(minutes=10)
        self.pass_time(seconds=1)

    def copy(self) -> RouteCopy:
        """Read the route."""
        return self.cluster.read(self.world.namespace, self.world.route)

    def note(self) -> Rollout | None:
        """Return the record in the route's note, if the note counts."""
        return own_note(self.copy())

    def note_phase(self) -> Phase | None:
        """Return the phase that the annotation says."""
        note = self.note()
        return note.phase if note else None

    def events(self, rollout_id: str) -> list[str]:
        """Return the kinds of all events, in order."""
        return [event.kind.value for event in self.store.events(rollout_id, 0)]


def a_stage(api_server: ApiServer, world: World, redis_url: str, *, user: str = "admin", **policy: Any) -> Stage:
    """Return a stage in a test's own namespace and database."""
    connection, clock = connect_cluster(api_server.kubeconfig(user)), HandClock()
    return Stage(
        world=world,
        redis=connect(redis_url),
        cluster=Cluster(connection.api, [world.namespace], notes=NOTES, now=clock.now),
        clock=clock,
        policy=replace(Policy(namespaces=(world.namespace,)), **policy),
    )
