"""What a whole bot costs while one of its dependencies is away: refused (nobody listens) or hung (no answer comes).

It leads twenty rollouts that step every ten seconds, over Socket Mode. A share is CPU of the bot's process, its own
and the kernel's for it, in a core; the goal is that it stays below 5%. The floor is the same bot with everything there,
so a ratio above 1 is a bot that works harder for nothing.
"""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from bench.figures import Finding, Row
from bench.servers import Servers, memory_of
from bench.whole_bot import WholeBot, whole_bot
from bot.store.connection import connect
from sandbox.fault_proxy import FaultProxy, fault_proxy
from sandbox.faults import Fault
from sandbox.objects import pool_ref
from sandbox.process import Server, wait_until
from sandbox.robot import robot
from sandbox.slack import APP_TOKEN, BOT_TOKEN, Slack, local_slack
from sandbox.valkey import Valkey, valkey
from sandbox.workplace import workplace
from sandbox.world import CANARY, STABLE, create_world

NAMESPACE, ROLLOUTS = "outages", 20
SETTLED, WINDOW, WINDOWS = 5.0, 10.0, 2
POLICY = {
    "namespaces": [NAMESPACE],
    "plan": {"steps": [*range(1, 101)], "every": f"{WINDOW:.0f}s", "bake": "1h"},
    "approvals": {"at": []},
}
GOAL = "< 5%"


@dataclass(frozen=True)
class Dependencies:
    """What the bot depends on, and how each is taken away for a while."""

    redis: Valkey
    slack: Slack
    api: FaultProxy

    def environment(self) -> dict[str, str]:
        """Return the variables that point a bot at them."""
        return {
            "KUBECONFIG": str(self.api.kubeconfig()),
            "REDIS_URL": self.redis.url(),
            "SLACK_API_URL": self.slack.api_url,
            "SLACK_BOT_TOKEN": BOT_TOKEN,
            "SLACK_APP_TOKEN": APP_TOKEN,
        }

    def outages(self) -> dict[str, Callable[[], AbstractContextManager[None]]]:
        """Return every way in which one of them can be away."""
        return {
            "Redis refused": lambda: _killed(self.redis.server, self.redis.start),
            "Redis hung": lambda: _frozen(self.redis.server),
            "API server refused": lambda: self.api.failing(Fault.REFUSED),
            "API server hung": lambda: self.api.failing(Fault.HUNG),
            "Slack refused": lambda: _killed(self.slack.server, self.slack.server.start),
            "Slack hung": lambda: _frozen(self.slack.server),
        }


@contextmanager
def _frozen(server: Server) -> Iterator[None]:
    server.freeze()
    try:
        yield
    finally:
        server.thaw()


@contextmanager
def _killed(server: Server, start: Callable[[], None]) -> Iterator[None]:
    server.kill()
    try:
        yield
    finally:
        start()


def measure(servers: Servers) -> Finding:
    """Take one dependency away after the other."""
    with (
        workplace(prefix="bench") as place,
        valkey(place) as redis,
        local_slack(place) as slack,
        fault_proxy(servers.api_server) as api,
        robot(servers.kube, NAMESPACE),
    ):
        needs = Dependencies(redis, slack, api)
        names = _routes(servers)
        with whole_bot(needs.environment(), POLICY) as bot:
            _start(needs, names)
            floor = _shares(bot)
            rows = [_row(what, floor, _while_away(bot, outage)) for what, outage in needs.outages().items()]
    return Finding(title="Outages", about=__doc__ or "", rows=rows)


def _routes(servers: Servers) -> list[str]:
    world = create_world(servers.kube, NAMESPACE)
    names = [f"route-{number}" for number in range(ROLLOUTS)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: world.add_route(name, [pool_ref(STABLE)]), names))
    return names


def _start(needs: Dependencies, names: Sequence[str]) -> None:
    for name in names:
        needs.slack.command(f"start {CANARY} 1 route={name}")
    with connect(needs.redis.url()) as client:
        store = memory_of(client).store
        wait_until("the rollouts", lambda: sum(entry.is_applied for entry in store.entries()) == ROLLOUTS)


def _while_away(bot: WholeBot, outage: Callable[[], AbstractContextManager[None]]) -> list[float]:
    with outage():
        shares = _shares(bot)
    wait_until("the bot's lead again", bot.leads)
    time.sleep(SETTLED)
    return shares


def _shares(bot: WholeBot) -> list[float]:
    """Return the shares of a core that it takes in some windows of time, once it has settled."""
    time.sleep(SETTLED)
    shares = []
    for _ in range(WINDOWS):
        begun, cpu = time.monotonic(), bot.cpu()
        time.sleep(WINDOW)
        shares.append((bot.cpu() - cpu) / (time.monotonic() - begun))
    return shares


def _row(what: str, floor: Sequence[float], ours: Sequence[float]) -> Row:
    whole = statistics.mean(floor)
    return Row(
        what=what,
        floor=f"{whole:.1%}",
        ours=f"{statistics.mean(ours):.1%}",
        ratios=[share / whole for share in ours],
        goal=GOAL,
    )
