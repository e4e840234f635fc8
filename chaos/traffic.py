"""Users on a real data plane while rollouts come and go and bots are killed: the ledger of their requests.

The other runs have no traffic, so that everything in them can fail. Here only the bots fail, at any moment, and no
request may: none is answered with an error, and no stream is cut.
"""

import json
import random
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

from bot.domain.rollout import SLOTLESS
from k8s.document import ANNOTATION
from sandbox.acting import People
from sandbox.bot_process import BotProcess, bot_process
from sandbox.dataplane.live_world import behave
from sandbox.dataplane.plane import ADAPTER, Plane, data_plane
from sandbox.dataplane.programs import helm_path, programs
from sandbox.errors import SandboxError
from sandbox.load.ledger import failures, shares
from sandbox.load.running import load
from sandbox.markdown import table
from sandbox.model_servers import MODEL
from sandbox.process import wait_until
from sandbox.running import Sandbox, servers
from sandbox.world import CANARY, STABLE

POLICY: Final = """\
namespaces: [default]
plan: {steps: [50, 100], every: 2s, bake: 1s}
approvals: {at: []}
clean: {allowed: true, drained_for: 2s}
"""
REPLICAS: Final = 2
RATE, STREAMS, TOKEN_MS = 6.0, 2, 20
"""So many requests a second, and streams of 30 seconds at any time."""

MOODS: Final = ("pause", "resume", "advance", "promote", "rollback", "finish")
OVER: Final = {phase.value for phase in SLOTLESS}


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficRun:
    """What became of the users' requests: how many failed by kind, and the longest stream in seconds."""

    seconds: float
    requests: int
    failed: Mapping[str, int]
    longest: float
    pools: Sequence[str]
    kills: int
    changes: int
    rollouts: int

    @property
    def is_good(self) -> bool:
        """Return whether nobody's request failed, and whether there was anything that could have made it fail."""
        return not self.failed and self.kills > 0 and self.changes > 0 and len(self.pools) > 1

    @property
    def section(self) -> str:
        """Return the run's part of docs/reliability.md."""
        failed = ", ".join(f"{count} {what}" for what, count in self.failed.items()) or "0"
        rows = [
            ("requests", self.requests),
            ("failed or cut", failed),
            ("the longest stream", f"{self.longest:.0f} s"),
            ("changes of the route's spec", self.changes),
            ("rollouts", self.rollouts),
            ("bots killed", self.kills),
        ]
        how = "no request failed" if self.is_good else "FAILED"
        said = f"{self.seconds:.0f} s of rollouts, a bot killed every few seconds, and at the end `clean`: {how}."
        return f"## Traffic\n\n{said}\n\n{table(('what', 'count'), rows)}"


def play_traffic(seconds: float, seed: int) -> TrafficRun:
    """Run users, rollouts and killers for a while, then finish a rollout and delete its old pool."""
    dice = random.Random(f"traffic-{seed}")
    with servers(None, policy=POLICY) as sandbox, _plane(sandbox) as plane, _bots(sandbox) as bots:
        folder = sandbox.folder / "load"
        with load(plane.url, folder, model=MODEL, adapter=ADAPTER, rate=RATE, streams=STREAMS) as users:
            before = plane.world.http_route()["metadata"]["generation"]
            team = _Team(People(sandbox.slack), plane, dice)
            with _killing(bots, random.Random(f"killer-{seed}")) as kills:
                team.work(time.time() + seconds)
                team.clean_up()
            changes = plane.world.http_route()["metadata"]["generation"] - before
            records = users.stop()
    streams = [record.took for record in records if record.kind == "long stream"]
    return TrafficRun(
        seconds=seconds,
        requests=len(records),
        failed=failures(records),
        longest=max(streams, default=0.0),
        pools=sorted(shares(records)),
        kills=len(kills),
        changes=changes,
        rollouts=team.rollouts,
    )


@contextmanager
def _plane(sandbox: Sandbox) -> Iterator[Plane]:
    with data_plane(sandbox.api_server, programs(), sandbox.folder / "plane") as plane:
        for pod in (pod for pool in (STABLE, CANARY) for pod in plane.pods(pool)):
            behave(pod, token_ms=TOKEN_MS)
        yield plane


@contextmanager
def _bots(sandbox: Sandbox) -> Iterator[Sequence[BotProcess]]:
    environment = {**sandbox.environment(), "ROLLOUTBOT_HELM": str(helm_path())}
    bots = [bot_process(f"bot-{number}", sandbox.folder, environment) for number in range(REPLICAS)]
    try:
        for bot in bots:
            bot.server.start()
        for bot in bots:
            bot.server.wait_ready(bot.is_ready)
        yield bots
    finally:
        for bot in bots:
            bot.server.kill()


@contextmanager
def _killing(bots: Sequence[BotProcess], dice: random.Random) -> Iterator[list[float]]:
    """Kill one of the bots every few seconds, and start it again; yields when each was killed."""
    kills, stopping = list[float](), threading.Event()

    def kill() -> None:
        while not stopping.wait(dice.uniform(2, 6)):
            bot = dice.choice(bots)
            bot.server.kill()
            kills.append(time.time())
            bot.server.start()

    killer = threading.Thread(target=kill, name="killer")
    killer.start()
    try:
        yield kills
    finally:
        stopping.set()
        killer.join()


@dataclass
class _Team:
    """The people who roll out: to one pool, then to the other, and back."""

    people: People
    plane: Plane
    dice: random.Random
    rollouts: int = 0

    def work(self, until: float) -> None:
        """Take one rollout after another."""
        while time.time() < until:
            self._start(self.dice.choice((10, 50)))
            patience = time.time() + self.dice.uniform(4, 14)
            while not self._is_over() and time.time() < patience:
                time.sleep(self.dice.uniform(0.5, 2))
                self._say(self.dice.choice(MOODS))
            self._end(self.dice.choice(("rollback", "promote")))

    def clean_up(self) -> None:
        """Finish a rollout and delete its old pool."""
        self._end("rollback")
        while self._phase() != "finished":
            self._start(100)
            with suppress(SandboxError):
                wait_until("the finish", lambda: self._phase() == "finished", seconds=30)
        self.people.say("clean")
        self.people.press("operation_approve")
        self.people.see("All of it is deleted")

    def _start(self, weight: int) -> None:
        shares = dict(self.plane.world.weights())
        canary = min((CANARY, STABLE), key=lambda pool: shares.get(pool, -1))
        before = self._phase(), self._id()
        self._say(f"start {canary} {weight}")
        with suppress(SandboxError):
            wait_until("the rollout", lambda: (self._phase(), self._id()) != before, seconds=10)
            self.rollouts += 1

    def _end(self, way: str) -> None:
        """Have the rollout be over, whatever it takes: bots are killed all the time."""
        for verb in (way, "resume", way, "rollback", "rollback", "rollback"):
            if self._is_over():
                return
            self._say(verb)
            with suppress(SandboxError):
                wait_until("its end", self._is_over, seconds=8)

    def _say(self, words: str) -> None:
        with suppress(SandboxError):  # nobody may be there to hear it
            self.people.say(words)

    def _is_over(self) -> bool:
        return self._phase() in OVER

    def _phase(self) -> str:
        return str(self._note().get("phase", "rolled_back"))

    def _id(self) -> str:
        return str(self._note().get("id", ""))

    def _note(self) -> dict[str, Any]:
        annotations = self.plane.world.http_route()["metadata"].get("annotations") or {}
        note: dict[str, Any] = json.loads(annotations.get(ANNOTATION, "{}"))
        return note
