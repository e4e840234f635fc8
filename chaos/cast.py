"""Everything that a run needs: real servers, bots, people's names and channels."""

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from chaos.ledger import Ledger
from chaos.memory import Memory
from chaos.schedule import API, SLACK, Kind, Schedule
from chaos.tape import Tape, tape
from chaos.world import Site, build
from sandbox.apiserver import ApiServer
from sandbox.bot_process import BotProcess, bot_process
from sandbox.fake_prometheus import FakePrometheus, fake_prometheus
from sandbox.fault_proxy import FaultProxy, fault_proxy
from sandbox.kube import Kube
from sandbox.robot import robot
from sandbox.slack import PEOPLE, TEAM
from sandbox.strict_slack import StrictSlack, strict_slack
from sandbox.strict_slack.limits import Limits
from sandbox.valkey import INSTALL, Valkey, valkey
from sandbox.workplace import Workplace

CHANNELS = tuple(f"C0CHAOS{number:03}" for number in range(10))
CROWD = {f"U0CROWD{number:03}": f"Person {number}" for number in range(4)} | dict(PEOPLE)
REPLICAS = 2
POLICY = {
    "plan": {"steps": [10, 50, 100], "every": "1s", "bake": "2s"},
    "approvals": {"at": [80], "needed": 1},
    "clean": {"allowed": True, "keep_for": "1h"},
}
"""Plans are short, and the way to 100 % needs an approval in each of them. No old pool is deleted meanwhile."""

EVIDENCE = {"window": "24s", "settle": "1s", "forgives": "2s", "requests": 1}
GATES = {"split": {"enabled": False}}
"""The stand-in for Prometheus says the same of every pool, whatever its weight."""


@dataclass(frozen=True, slots=True)
class Cast:
    """What runs. ``kube`` may do anything, and no fault hits it."""

    plan: Schedule
    folder: Path
    kube: Kube
    proxy: FaultProxy
    valkey: Valkey
    prometheus: FakePrometheus
    memory: Memory
    slack: StrictSlack
    bots: list[BotProcess]
    sites: list[Site]
    tape: Tape
    ledger: Ledger

    def hits(self, kind: Kind) -> "Counter[str]":
        """Count what a kind of fault has hit so far: by the ledger, the fault proxy and the Slack stand-in."""
        api = {what: count for (fault, what), count in self.proxy.hits.items() if fault is API.get(kind)}
        slack = [
            (what, count) for (fault, what), count in self.slack.faults.hit.items() if fault in SLACK.get(kind, ())
        ]
        hits = Counter(self.ledger.hits.get(kind, ())) + Counter(api)
        for what, count in slack:
            hits[what] += count
        return hits


@contextmanager
def cast(place: Workplace, server: ApiServer, plan: Schedule) -> Iterator[Cast]:
    """Start everything but the API server, and stop it after the block."""
    prefix = f"chaos-{plan.seed}"
    with ExitStack() as stack:
        enter = stack.enter_context
        kube = server.client()
        stack.callback(kube.close)
        proxy, store, slack = enter(fault_proxy(server)), enter(valkey(place)), enter(strict_slack())
        numbers = enter(fake_prometheus())
        _people(slack)
        sites = build(kube, prefix, plan.sites, CHANNELS)
        namespaces = sorted({site.namespace for site in sites})
        recorded = enter(tape(kube, namespaces))
        for namespace in namespaces:
            enter(robot(kube, namespace))
        env = {
            "KUBECONFIG": str(proxy.kubeconfig("rolloutbot")),
            "REDIS_URL": store.url(),
            **slack.environment(),
        }
        judged = {"evidence": {**EVIDENCE, "prometheus": numbers.url}, "gates": GATES} if plan.judges else {}
        replicas, ledger = enter(_bots(place.folder, {"namespaces": namespaces, **POLICY, **judged}, env)), Ledger()
        memory = Memory(store, ledger)
        servers = (kube, proxy, store, numbers, memory, slack)
        yield Cast(plan, place.folder, *servers, replicas, sites, recorded, ledger)


@contextmanager
def _bots(folder: Path, rules: Mapping[str, object], env: Mapping[str, str]) -> Iterator[list[BotProcess]]:
    """Start the replicas, and kill them after the block."""
    policy = folder / "policy.yaml"
    policy.write_text(json.dumps(rules))
    env = {**env, "ROLLOUTBOT_CONFIG": str(policy), "ROLLOUTBOT_LOG": "json", "ROLLOUTBOT_INSTALL": INSTALL}
    replicas = [bot_process(f"bot-{number}", folder, env) for number in range(REPLICAS)]
    try:
        for bot in replicas:
            bot.server.start()
        for bot in replicas:
            bot.server.wait_ready(bot.is_ready)
        yield replicas
    finally:
        for bot in replicas:
            bot.server.kill()


HURRY = 6
LOOKUPS = ("conversations.history", "conversations.replies", "conversations.info", "users.info")


@dataclass
class HurriedLimits(Limits):
    """Slack's limits, except for look-ups: a run makes as many rollouts in minutes as a team does in days."""

    def wait(self, method: str, channel: str, now: float) -> int:
        """Take a call and return 0, or return how many seconds the caller has to wait."""
        hurry = HURRY if method in LOOKUPS else 1
        return math.ceil(super().wait(method, channel, now * hurry) / hurry)


def _people(slack: StrictSlack) -> None:
    slack.limits = HurriedLimits()
    for channel in CHANNELS:
        slack.channels[channel] = {"is_member": True}
    for user, name in CROWD.items():
        slack.users[user] = {"name": name, "team_id": TEAM}
