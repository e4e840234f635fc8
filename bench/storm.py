"""Whether a status that is written 50 times a second delays anybody, and what it costs the bot.

A whole bot leads one rollout on each of some routes. Three connections write the status of the route that is looked at,
each time with the newest generation and another message. A person advances the rollout there, and somebody else edits
its weights. The floor is the same on other routes, whose status a controller writes only after a change. The CPU is
that of the bot's process while it leads a rollout in a storm and nobody does anything; its floor is the fifth of a core
that it may take.
"""

import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

from bench.figures import Finding, Round, Row, rows_of
from bench.population import ALICE, add_routes
from bench.servers import Servers, memory_of
from bench.whole_bot import cpu, whole_bot
from bot.domain.decisions.start import rollout_id
from bot.domain.rollout import Acceptance, Entry, Phase
from bot.store.connection import connect
from bot.store.store import RedisStore
from sandbox.bot_process import BotProcess
from sandbox.errors import SandboxError
from sandbox.gateway import Answer, route_status
from sandbox.process import wait_until
from sandbox.robot import Robot, robot
from sandbox.strict_slack import StrictSlack, strict_slack
from sandbox.world import CANARY, World, create_world

NAMESPACE, GATEWAY = "storm", "inference-gateway"
ROUNDS, SAMPLES = 4, 10
RATE, WRITERS, WINDOW, WINDOWS = 50, 3, 5.0, 4
CPU_AT_MOST = 0.2
POLICY = {"namespaces": [NAMESPACE], "plan": {"steps": [*range(1, 101)], "every": "1h"}, "approvals": {"at": []}}


@dataclass
class Storm:
    """A controller that writes one route's status again and again."""

    world: World
    route: str
    writes: int = 0
    seconds: float = 0.0
    over: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def blowing(self) -> Iterator[None]:
        """Write during the block."""
        begun = time.monotonic()
        with ThreadPoolExecutor(WRITERS) as pool:
            writers = [pool.submit(self._write) for _ in range(WRITERS)]
            try:
                yield
            finally:
                self.over.set()
        for writer in writers:
            writer.result()
        self.seconds = time.monotonic() - begun

    @property
    def rate(self) -> float:
        """Return how many writes there were a second."""
        return self.writes / self.seconds

    def _write(self) -> None:
        path = self.world.route_path(self.route)
        route, next_at = self.world.kube.get(path), time.monotonic()
        while not self.over.wait(max(0.0, next_at - time.monotonic())):
            status = route_status(route, {GATEWAY}, None, Answer())
            with self.lock:
                self.writes += 1
                number = self.writes
            for condition in status["parents"][0]["conditions"]:
                condition["message"] = f"Write {number}."
            route = self.world.kube.merge(f"{path}/status", {"status": status})
            next_at += WRITERS / RATE


@dataclass(frozen=True)
class Person:
    """Somebody who asks the bot by signed requests, and looks into its store."""

    slack: StrictSlack
    bot: BotProcess
    store: RedisStore

    def says(self, text: str) -> str:
        delivery = self.slack.command(text, user=ALICE)
        self.slack.send(delivery, self.bot.url)
        return delivery.trigger

    def waits(self, what: str, rollout: str, holds: Callable[[Entry], bool]) -> None:
        def is_there() -> bool:
            entry = self.store.load(rollout)
            return entry is not None and holds(entry)

        wait_until(what, is_there, seconds=30, pause=0.002)


def measure(servers: Servers) -> Finding:
    """Look at half of the routes in a calm, and at the others in a storm."""
    world, url = create_world(servers.kube, NAMESPACE), servers.redis_url()
    *names, quiet = add_routes(world, 2 * ROUNDS * SAMPLES + 1)
    with strict_slack() as slack, connect(url) as client, robot(servers.kube, NAMESPACE) as gateway:
        environment = {"KUBECONFIG": str(servers.api_server.kubeconfig()), "REDIS_URL": url, **slack.environment()}
        with whole_bot(environment, POLICY) as bot:
            person = Person(slack, bot, memory_of(client).store)
            ids = {name: rollout_id(person.says(f"start {CANARY} 1 route={name}")) for name in (*names, quiet)}
            for name, rollout in ids.items():
                person.waits(f"the start on {name}", rollout, _is_accepted)
            trials = [
                _round(person, world, gateway, [*zip(names, ids.values(), strict=False)][number::ROUNDS])
                for number in range(ROUNDS)
            ]
            storm = Storm(world, quiet)
            with _storm(gateway, storm):
                shares = [_share(bot) for _ in range(WINDOWS)]
    return _finding(trials, storm, shares)


def _is_accepted(entry: Entry) -> bool:
    return entry.rollout.phase is Phase.PROGRESSING and entry.acceptance is Acceptance.ACCEPTED


def _round(person: Person, world: World, gateway: Robot, rollouts: Sequence[tuple[str, str]]) -> tuple[Round, Round]:
    """Return the times of advances and of edits: in a calm on every second route, in a storm on the others."""
    calm = [_times(person, world, name, rollout) for name, rollout in rollouts[::2]]
    blown = []
    for name, rollout in rollouts[1::2]:
        with _storm(gateway, Storm(world, name)):
            blown.append(_times(person, world, name, rollout))
    (calm_advances, calm_edits), (advances, edits) = zip(*calm, strict=True), zip(*blown, strict=True)
    return Round(calm_advances, advances), Round(calm_edits, edits)


def _times(person: Person, world: World, name: str, rollout: str) -> tuple[float, float]:
    """Return how long an advance took to be on the route, and an edit to pause the rollout, in seconds."""
    begun = time.perf_counter()
    person.says(f"advance {rollout}")
    person.waits("the advance", rollout, lambda entry: entry.rollout.step == 1 and entry.is_applied)
    advanced = time.perf_counter() - begun
    person.waits("the gateway's yes", rollout, _is_accepted)
    begun = time.perf_counter()
    world.edit_weights(60, 40, name=name)
    person.waits("the pause", rollout, lambda entry: entry.rollout.drifted)
    return advanced, time.perf_counter() - begun


@contextmanager
def _storm(gateway: Robot, storm: Storm) -> Iterator[None]:
    """Let the storm write instead of the gateway's robot."""
    gateway.answer = Answer(silent=True)
    try:
        with storm.blowing():
            yield
    finally:
        gateway.answer = Answer()


def _share(bot: BotProcess) -> float:
    begun, used = time.monotonic(), cpu(bot.server)
    time.sleep(WINDOW)
    return (cpu(bot.server) - used) / (time.monotonic() - begun)


def _finding(trials: Sequence[tuple[Round, Round]], storm: Storm, shares: Sequence[float]) -> Finding:
    advances, edits = zip(*trials, strict=True)
    rows = [
        *rows_of("advance written, in a storm", advances, goals={50: "1.2"}),
        *rows_of("edit by another hand to rollout paused, in a storm", edits, goals={50: "3 s", 99: "3 s"}),
        Row(
            what="CPU of the bot, in a storm",
            floor=f"{CPU_AT_MOST:.0%} of a core",
            ours=f"{statistics.median(shares):.1%}",
            ratios=[share / CPU_AT_MOST for share in shares],
            goal="1",
        ),
    ]
    if storm.rate < 0.8 * RATE:
        raise SandboxError(f"The status was written only {storm.rate:.0f} times a second.")
    notes = [f"{storm.rate:.0f} writes of the status a second"]
    return Finding(title="A storm of status", about=__doc__ or "", rows=rows, notes=notes)
