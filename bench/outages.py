"""What a whole bot costs while one of its dependencies is away: refused (nobody listens) or hung (no answer comes).

The bot leads twenty rollouts that step every ten seconds, over Socket Mode. A share is the CPU time of the bot's
process, in user and kernel mode, as a part of one core; the goal is to stay below 5%. The floor is a bare process with
every dependency there: for each rollout it writes a record, a route and a card every ten seconds, with the libraries
alone. The first row is the bot with every dependency there; in an outage whose ratio is larger, the bot works harder
than that.
"""

import statistics
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from bench import bare_bot
from bench.figures import MISSED, Finding, Row
from bench.population import add_routes
from bench.servers import Servers, memory_of
from bench.whole_bot import cpu, whole_bot
from bot.store.connection import connect
from sandbox.bot_process import BotProcess
from sandbox.fault_proxy import FaultProxy, fault_proxy
from sandbox.faults import Fault
from sandbox.folders import CHECKOUT
from sandbox.objects import pool_ref
from sandbox.process import Server, wait_until
from sandbox.robot import robot
from sandbox.slack import APP_TOKEN, BOT_TOKEN, Slack, local_slack
from sandbox.valkey import Valkey, valkey
from sandbox.workplace import Workplace, workplace
from sandbox.world import CANARY, STABLE, create_world

NAMESPACE, BARE, ROLLOUTS = "outages", "bare", 20
SETTLED, WINDOW, WINDOWS = 5.0, 10.0, 3
POLICY = {
    "namespaces": [NAMESPACE],
    "plan": {"steps": [*range(1, 101)], "every": f"{WINDOW:.0f}s", "bake": "1h"},
    "approvals": {"at": []},
}
LOW = 0.05
GOAL = f"< {LOW:.0%}"


@dataclass(frozen=True)
class Dependencies:
    """What the bot depends on, and how to take each away for a while."""

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
        """Return every outage by name."""
        return {
            "Redis refused": lambda: self.redis.server.killed(self.redis.start),
            "Redis hung": self.redis.server.frozen,
            "API server refused": lambda: self.api.failing(Fault.REFUSED),
            "API server hung": lambda: self.api.failing(Fault.HUNG),
            "Slack refused": lambda: self.slack.server.killed(self.slack.server.start),
            "Slack hung": self.slack.server.frozen,
        }


def measure(servers: Servers) -> Finding:
    """Take away one dependency after the other."""
    with (
        workplace(prefix="bench") as place,
        valkey(place) as redis,
        local_slack(place) as slack,
        fault_proxy(servers.api_server) as api,
        robot(servers.kube, NAMESPACE),
    ):
        needs = Dependencies(redis, slack, api)
        floor = _bare_shares(servers, needs, place)
        slack.reset()
        names = add_routes(create_world(servers.kube, NAMESPACE), ROLLOUTS)
        with whole_bot(needs.environment(), POLICY) as bot:
            _start(needs, names)
            rows = [_row("none", floor, _shares(bot.server))]
            rows += [_row(what, floor, _while_away(bot, outage)) for what, outage in needs.outages().items()]
    return Finding(title="Outages", about=__doc__ or "", rows=rows)


def _bare_shares(servers: Servers, needs: Dependencies, place: Workplace) -> list[float]:
    """Return the shares of the bare process. Its routes are alike, in a namespace of their own."""
    world = create_world(servers.kube, BARE)
    for number in range(ROLLOUTS):
        world.add_route(f"bare-{number}", [pool_ref(STABLE, 90), pool_ref(CANARY, 10)])
    words = [needs.slack.api_url, needs.redis.url(), str(needs.api.kubeconfig()), BARE, str(WINDOW)]
    env = {"PYTHONPATH": str(CHECKOUT)}
    process = Server("bare_bot", [sys.executable, "-m", bare_bot.__name__, *words], place.folder, env)
    process.start()
    try:
        process.wait_ready(lambda: "Ready" in process.tail())
        shares = _shares(process)
        process.wait_ready(lambda: True)  # it still runs
        return shares
    finally:
        process.terminate(seconds=10)


def _start(needs: Dependencies, names: Sequence[str]) -> None:
    for name in names:
        needs.slack.command(f"start {CANARY} 1 route={name}")
    with connect(needs.redis.url()) as client:
        store = memory_of(client).store
        wait_until("the rollouts", lambda: sum(entry.is_applied for entry in store.entries()) == ROLLOUTS)


def _while_away(bot: BotProcess, outage: Callable[[], AbstractContextManager[None]]) -> list[float]:
    with outage():
        shares = _shares(bot.server)
    wait_until("the bot's lead again", bot.leads)
    time.sleep(SETTLED)
    return shares


def _shares(process: Server) -> list[float]:
    """Let a process settle, and return its share of a core in each of some windows of time."""
    time.sleep(SETTLED)
    shares = []
    for _ in range(WINDOWS):
        begun, used = time.monotonic(), cpu(process)
        time.sleep(WINDOW)
        shares.append((cpu(process) - used) / (time.monotonic() - begun))
    return shares


def _row(what: str, floor: Sequence[float], ours: Sequence[float]) -> Row:
    whole = statistics.mean(floor)
    return Row(
        what=what,
        floor=f"{whole:.1%}",
        ours=f"{statistics.mean(ours):.1%}",
        ratios=[share / whole for share in ours],
        goal=GOAL if statistics.mean(ours) < LOW else GOAL + MISSED,
    )
