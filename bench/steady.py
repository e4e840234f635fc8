"""Whether a bot's memory and threads grow: 1,000 rollouts on fifty routes, through one whole bot process.

People start each rollout by a signed request. The timer takes it to the end of its bake, or a person rolls it back.
After a finished rollout the next one on the route swaps the pools. Cards and threads go to a Slack without rate
limits, in fifty channels. The bench reads memory and threads from /proc twice a second. The floor is the median of
the first quarter of the rollouts, and ours is that of the last.
"""

import statistics
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

from bench.figures import Finding, Row
from bench.population import ALICE, add_routes
from bench.servers import Servers, memory_of
from bench.whole_bot import cpu, memory, threads, whole_bot
from bot.domain.decisions.start import rollout_id
from bot.domain.rollout import Phase
from bot.store.connection import connect
from bot.store.store import RedisStore
from sandbox.bot_process import BotProcess
from sandbox.process import wait_until
from sandbox.robot import robot
from sandbox.strict_slack import StrictSlack, strict_slack
from sandbox.strict_slack.limits import Limits
from sandbox.world import CANARY, STABLE, create_world

NAMESPACE, ROLLOUTS, ROUTES = "steady", 1000, 50
POLICY = {
    "namespaces": [NAMESPACE],
    "plan": {"steps": [10, 100], "every": "1s", "bake": "1s"},
    "approvals": {"at": []},
}
A_QUARTER = ROLLOUTS // 4


class NoLimits(Limits):
    """A Slack without rate limits: the bench does not measure them."""

    def wait(self, method: str, channel: str, now: float) -> int:
        return 0


@dataclass
class Samples:
    """Memory and threads of the bot, by how many quarters of the rollouts were done."""

    bot: BotProcess
    memory: list[list[float]] = field(default_factory=lambda: [[], [], [], []])
    threads: list[list[float]] = field(default_factory=lambda: [[], [], [], []])
    done: int = 0
    over: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Take samples during the block."""
        thread = threading.Thread(target=self._run)
        thread.start()
        try:
            yield
        finally:
            self.over.set()
            thread.join()

    def _run(self) -> None:
        while not self.over.wait(0.5):
            quarter = min(self.done // A_QUARTER, 3)
            self.memory[quarter].append(memory(self.bot.server))
            self.threads[quarter].append(threads(self.bot.server))


def measure(servers: Servers) -> Finding:
    redis_url = servers.redis_url()
    world = create_world(servers.kube, NAMESPACE)
    names = add_routes(world, ROUTES)
    with strict_slack() as slack, connect(redis_url) as client, robot(servers.kube, NAMESPACE):
        slack.limits = NoLimits()
        slack.channels.update({_channel(name): {"is_member": True} for name in names})
        environment = {
            "KUBECONFIG": str(servers.api_server.kubeconfig()),
            "REDIS_URL": redis_url,
            **slack.environment(),
        }
        with whole_bot(environment, POLICY) as bot:
            samples, begun = Samples(bot), time.monotonic()
            people = People(slack, memory_of(client).store, bot.url, samples)
            with samples.running(), ThreadPoolExecutor(ROUTES) as pool:
                list(pool.map(people.go_through, names))
            seconds = time.monotonic() - begun
            cards = len({one["blocks"][0]["block_id"].split(":")[1] for one in slack.messages})
            used = cpu(bot.server)
    return _finding(samples, seconds, used, cards)


def _channel(route: str) -> str:
    return f"C0{route.upper().replace('-', '')}"


@dataclass
class People:
    """People who start the rollouts and roll back every third one."""

    slack: StrictSlack
    store: RedisStore
    bot: str
    samples: Samples
    lock: threading.Lock = field(default_factory=threading.Lock)

    def go_through(self, route: str) -> None:
        """Take a route through its share of the rollouts, one after the other."""
        pool, other = CANARY, STABLE
        for number in range(ROLLOUTS // ROUTES):
            rolls_back = number % 3 == 2
            self._rollout(route, pool, rolls_back=rolls_back)
            if not rolls_back:
                pool, other = other, pool
            with self.lock:
                self.samples.done += 1

    def _rollout(self, route: str, pool: str, *, rolls_back: bool) -> None:
        started = rollout_id(self._say(route, f"start {pool} 10 route={route}"))
        self._until(started, Phase.PROGRESSING if rolls_back else Phase.FINISHED)
        if rolls_back:
            self._say(route, f"rollback {started}")
            self._until(started, Phase.ROLLED_BACK)

    def _say(self, route: str, text: str) -> str:
        delivery = self.slack.command(text, user=ALICE, channel=_channel(route))
        self.slack.send(delivery, self.bot)
        return delivery.trigger

    def _until(self, rollout: str, phase: Phase) -> None:
        def is_there() -> bool:
            entry = self.store.load(rollout)
            return entry is not None and entry.is_applied and entry.rollout.phase is phase

        wait_until(f"{rollout}: {phase}", is_there, seconds=120, pause=0.2)


def _finding(samples: Samples, seconds: float, used: float, cards: int) -> Finding:
    rows = [
        _row("memory", samples.memory, "{:.1f} MiB"),
        _row("threads", samples.threads, "{:.0f}"),
    ]
    quarters = "; ".join(f"{statistics.median(each):.1f} MiB" for each in samples.memory)
    notes = [
        f"{ROLLOUTS} rollouts and {cards} cards in {seconds:.0f} s, {used / seconds:.0%} of a core",
        f"memory by quarter: {quarters}; most: {max(map(max, samples.memory)):.1f} MiB",
        f"most threads: {max(map(max, samples.threads)):.0f}",
    ]
    return Finding(title="Steadiness", about=__doc__ or "", rows=rows, notes=notes)


def _row(what: str, quarters: Sequence[Sequence[float]], form: str) -> Row:
    first, last = statistics.median(quarters[0]), statistics.median(quarters[3])
    return Row(
        what=f"{what}, last quarter of {ROLLOUTS} rollouts / first",
        floor=form.format(first),
        ours=form.format(last),
        ratios=[last / first],
        goal="1.0",
    )
