"""Everything that a run needs, on real servers: who plays, and where."""

import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from chaos.bots import Bot, bots
from chaos.ledger import Ledger
from chaos.memory import Memory
from chaos.schedule import Schedule
from chaos.tape import Tape, tape
from chaos.world import Site, build
from sandbox.apiserver import ApiServer
from sandbox.fault_proxy import FaultProxy, fault_proxy
from sandbox.kube import Kube
from sandbox.robot import robot
from sandbox.slack import BOT_TOKEN, PEOPLE, SIGNING_SECRET, TEAM
from sandbox.strict_slack import StrictSlack, strict_slack
from sandbox.strict_slack.limits import Limits
from sandbox.valkey import Valkey, valkey
from sandbox.workplace import Workplace

CHANNELS = tuple(f"C0CHAOS{number:03}" for number in range(10))
CROWD = {f"U0CROWD{number:03}": f"Person {number}" for number in range(4)} | dict(PEOPLE)
REPLICAS = 2


@dataclass(frozen=True, slots=True)
class Cast:
    """What runs. ``kube`` is somebody who may do anything and whom no fault meets."""

    plan: Schedule
    folder: Path
    kube: Kube
    proxy: FaultProxy
    valkey: Valkey
    memory: Memory
    slack: StrictSlack
    bots: list[Bot]
    sites: list[Site]
    tape: Tape
    ledger: Ledger


@contextmanager
def cast(place: Workplace, server: ApiServer, plan: Schedule) -> Iterator[Cast]:
    """Start everything but the API server, in a folder of its own, and end it."""
    prefix = f"chaos-{plan.seed}"
    with ExitStack() as stack:
        enter = stack.enter_context
        kube = server.client()
        stack.callback(kube.close)
        proxy, store, slack = enter(fault_proxy(server)), enter(valkey(place)), enter(strict_slack())
        _people(slack)
        sites = build(kube, prefix, plan.sites, CHANNELS)
        namespaces = sorted({site.namespace for site in sites})
        recorded = enter(tape(kube, namespaces))
        for namespace in namespaces:
            enter(robot(kube, namespace))
        env = {
            "KUBECONFIG": str(proxy.kubeconfig("rolloutbot")),
            "REDIS_URL": store.url(),
            "SLACK_API_URL": slack.api_url,
            "SLACK_BOT_TOKEN": BOT_TOKEN,
            "SLACK_SIGNING_SECRET": SIGNING_SECRET,
        }
        replicas = enter(bots(REPLICAS, place.folder, namespaces, env))
        ledger = Ledger()
        memory = Memory(store, ledger)
        yield Cast(plan, place.folder, kube, proxy, store, memory, slack, replicas, sites, recorded, ledger)


HURRY = 6
LOOKUPS = ("conversations.history", "conversations.replies", "conversations.info", "users.info")


@dataclass
class HurriedLimits(Limits):
    """Slack's limits, but for look-ups: a run makes as many rollouts in minutes as a team does in days."""

    def wait(self, method: str, channel: str, now: float) -> int:
        """Take a call and return 0, or return for how many seconds the caller has to wait."""
        hurry = HURRY if method in LOOKUPS else 1
        return math.ceil(super().wait(method, channel, now * hurry) / hurry)


def _people(slack: StrictSlack) -> None:
    slack.limits = HurriedLimits()
    for channel in CHANNELS:
        slack.channels[channel] = {"is_member": True}
    for user, name in CROWD.items():
        slack.users[user] = {"name": name, "team_id": TEAM}
