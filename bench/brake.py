"""A roll back while Prometheus fails: from a person's command to the route's old weights.

Two whole bots lead rollouts on routes of their own, all of them at 10 %, and people roll back one of each in turns. Our
bot's gates ask a stand-in for Prometheus, which is well, slow, away, or sends answers without end; the floor is the bot
whose policy names no Prometheus. A watch of the routes sees when the old pool has all the traffic again.
"""

import random
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from bench.figures import Finding, Round, rows_of
from bench.population import ALICE, CHANNEL, add_routes, ignore
from bench.servers import Servers, memory_of
from bench.steady import NoLimits
from bench.whole_bot import whole_bot
from bot.domain.decisions.start import rollout_id
from bot.domain.rollout import Acceptance, Entry
from bot.engine.route_port import RouteCopy
from bot.store.connection import connect
from k8s.cluster import Cluster
from sandbox.fake_prometheus import Mood, fake_prometheus
from sandbox.process import wait_until
from sandbox.robot import robot
from sandbox.strict_slack import StrictSlack, strict_slack
from sandbox.world import CANARY, create_world

MOODS: Final = (Mood.WELL, Mood.SLOW, Mood.AWAY, Mood.ENDLESS)
ROUNDS, CLICKS = 3, 20
POLICY: Final = {"plan": {"steps": [10, 100], "every": "1h", "bake": "1h"}, "approvals": {"at": []}}
GATES: Final = {"split": {"enabled": False}}
"""The stand-in says that both pools have the same traffic."""
ROLLOUTS: Final = len(MOODS) * ROUNDS * CLICKS
REST: Final = 0.4
"""Seconds in which a bot draws its card before the other one's turn."""
SETTLED: Final = 6.0
"""Seconds after which the bot's queries meet the new mood: longer than the bot waits for an answer."""


@dataclass
class Bot:
    """A bot with rollouts, and what people see of its routes."""

    slack: StrictSlack
    url: str
    cluster: Cluster
    ids: list[str] = field(default_factory=list)
    back: defaultdict[str, threading.Event] = field(default_factory=lambda: defaultdict(threading.Event))

    def told(self, copy: RouteCopy) -> None:
        """Note a route whose canary has no traffic any more."""
        refs = copy.document["spec"]["rules"][0]["backendRefs"]
        if not any(ref["weight"] for ref in refs if ref["name"] == CANARY):
            self.back[copy.name].set()

    def say(self, text: str) -> str:
        """Send a command and return the id that Slack gave it."""
        delivery = self.slack.command(text, user=ALICE, channel=CHANNEL)
        self.slack.send(delivery, self.url)
        return delivery.trigger

    def rollback(self, number: int) -> float:
        """Roll back one rollout; return the seconds until its route had the old weights."""
        back = self.back[f"route-{number}"]
        back.clear()
        begun = time.perf_counter()
        self.say(f"rollback {self.ids[number]}")
        if not back.wait(30):
            raise TimeoutError(f"route-{number} was not rolled back")
        return time.perf_counter() - begun


def measure(servers: Servers) -> Finding:
    """Roll back with each mood of Prometheus, in turns with the bot that asks none."""
    with (
        fake_prometheus() as prometheus,
        _a_bot(servers, "brake-floor", {}) as floor,
        _a_bot(servers, "brake", {"evidence": {"prometheus": prometheus.url}, "gates": GATES}) as ours,
    ):
        left = iter(range(ROLLOUTS))
        rows = []
        for mood in MOODS:
            prometheus.mood = mood
            time.sleep(SETTLED)
            rounds = [_round(floor, ours, left) for _ in range(ROUNDS)]
            rows += rows_of(f"Prometheus is {mood}, roll back to route written", rounds, goals={50: "1.1"})
    return Finding(title="A roll back while Prometheus fails", about=__doc__ or "", rows=rows)


def _round(floor: Bot, ours: Bot, left: Iterator[int]) -> Round:
    seconds: dict[str, list[float]] = {"floor": [], "ours": []}
    for number in islice(left, CLICKS):
        for name, bot in (("floor", floor), ("ours", ours)):
            time.sleep(random.uniform(REST / 2, REST))
            seconds[name].append(bot.rollback(number))
    return Round(seconds["floor"], seconds["ours"])


@contextmanager
def _a_bot(servers: Servers, namespace: str, more: dict[str, Any]) -> Iterator[Bot]:
    """Start a bot and its rollouts, and wait until the gateway has accepted them all at 10 %."""
    world, redis_url = create_world(servers.kube, namespace), servers.redis_url()
    names = add_routes(world, ROLLOUTS)
    cluster = Cluster(servers.api(), (namespace,))
    with closing(cluster), strict_slack() as slack, connect(redis_url) as client, robot(servers.kube, namespace):
        slack.limits = NoLimits()
        environment = {
            "KUBECONFIG": str(servers.api_server.kubeconfig()),
            "REDIS_URL": redis_url,
            **slack.environment(),
        }
        with whole_bot(environment, {**POLICY, "namespaces": [namespace], **more}) as running:
            bot = Bot(slack, running.url, cluster)
            bot.ids += [rollout_id(bot.say(f"start {CANARY} 10 route={name}")) for name in names]
            store = memory_of(client).store
            wait_until("the rollouts", lambda: _accepted(store.entries()) == ROLLOUTS, seconds=180, pause=1)
            cluster.watch(route_changed=bot.told, route_gone=ignore, pool_gone=ignore)
            yield bot


def _accepted(entries: Sequence[Entry]) -> int:
    return sum(entry.is_applied and entry.acceptance is Acceptance.ACCEPTED for entry in entries)
