"""One run: a new pool gets 10 % of a lane's traffic, and the bot's gates and two peers' rules watch it."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from bot.domain.evidence import EvidenceRules
from bot.domain.gate import GateAnswer, Verdict
from bot.domain.plan import Plan
from bot.domain.rollout import Applied, Entry, Phase, Pool, Rollout, Rule
from bot.gates.gate import GateSources
from bot.gates.numbers.numbers import Numbers
from bot.gates.panel import GatePanel
from bot.gates.registry import gates
from bot.prometheus.client import PrometheusClient
from canaries.lane import Lane
from canaries.peers import SCALE, TIMES, Pods, Rules, argo, flagger
from canaries.scenarios import Scenario
from k8s.cluster import Cluster
from sandbox.dataplane.plane import NAMESPACE
from sandbox.kube import path_of
from sandbox.load.ledger import Record
from sandbox.objects import GATEWAY_API

WEIGHT: Final = 10
LOOK_EVERY: Final = 15 / SCALE
BEFORE: Final = 8.0
"""Seconds with the old pool alone: what its latency is, for the peers' thresholds."""
SECONDS: Final = 45.0
"""How long a run takes from the new weight on: a little longer than what the gates leave out and look back at."""

USUAL_RULES: Final = EvidenceRules()
RULES: Final = EvidenceRules(
    window=USUAL_RULES.window / SCALE,
    settle=USUAL_RULES.settle / SCALE,
    forgives=USUAL_RULES.forgives / SCALE,
)
"""The bot's defaults, so many times faster."""


@dataclass(frozen=True, kw_only=True)
class Decided:
    """Who stopped the new pool, when (seconds after it got its weight), and what it cost."""

    by: str
    why: str
    at: float | None
    requests: int
    bad: int
    held: bool = False


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One run of a scenario."""

    scenario: str
    seed: int
    is_honest: bool
    decided: tuple[Decided, ...]


class SystemClock:
    """The time of this machine."""

    def now(self) -> datetime:
        """Return it."""
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        """Sleep."""
        time.sleep(seconds)


def watch(lane: Lane, cluster: Cluster, scenario: Scenario, seed: int) -> Outcome:
    """Run a scenario on a lane, and take everything back."""
    numbers = Numbers(
        PrometheusClient(lane.prometheus.url),
        cluster,
        replace(RULES, prometheus=lane.prometheus.url),
        fresh=timedelta(milliseconds=1),
    )
    panel = GatePanel(gates(), {}, GateSources(pools=cluster, routes=cluster, numbers=numbers), SystemClock())
    lane.reset()
    try:
        with lane.asked(scenario.rate, seed) as users:
            time.sleep(BEFORE)
            peers = _peers(lane)
            scenario.prepare(lane)
            lane.weigh(WEIGHT)
            begun = datetime.now(UTC)
            acts = [threading.Timer(after, act, [lane]) for after, act in scenario.later.items()]
            for act in acts:
                act.start()
            verdict, at = _follow(panel, _entry(lane, begun), peers, begun, scenario)
            for act in acts:
                act.join()
            records = [each for each in users.records(begun.timestamp()) if each.pool == lane.new or not each.pool]
    finally:
        scenario.end(lane)
        lane.reset()
    why = verdict.reason if verdict.answer is not GateAnswer.PASS else ""
    held = at is None and verdict.answer is GateAnswer.HOLD
    ours = _decided("rolloutbot", why, at, records, begun, scenario, held=held)
    others = [_decided(each.name, "", each.decided_at, records, begun, scenario) for each in peers]
    return Outcome(scenario=scenario.name, seed=seed, is_honest=scenario.is_honest, decided=(ours, *others))


def _peers(lane: Lane) -> Sequence[Rules]:
    """Return the peers' rules, with thresholds from what the old pool shows now."""
    old = Pods(lane.prometheus, [pod["metadata"]["name"] for pod in lane.pods(lane.old)])
    new = Pods(lane.prometheus, [pod["metadata"]["name"] for pod in lane.pods(lane.new)])
    p95, p99 = (old.quantile(q, BEFORE) or 1.0 for q in (0.95, 0.99))
    return argo(new, TIMES * p95), flagger(new, TIMES * p99)


def _follow(
    panel: GatePanel, entry: Entry, peers: Sequence[Rules], begun: datetime, scenario: Scenario
) -> tuple[Verdict, float | None]:
    """Look again and again until all have decided, or the time is over; returns our verdict and when it was a fail."""
    failed_at, verdict = None, Verdict()
    while (seconds := (datetime.now(UTC) - begun).total_seconds()) < SECONDS:
        if failed_at is None:
            verdict = panel.check_between_steps(entry)
            if verdict.answer is GateAnswer.FAIL:
                failed_at = (datetime.now(UTC) - begun).total_seconds()
        for each in peers:
            each.look(seconds)
        if failed_at is not None and all(each.decided_at is not None for each in peers):
            break
        time.sleep(LOOK_EVERY)
    return verdict, failed_at


def _decided(
    by: str,
    why: str,
    at: float | None,
    records: Sequence[Record],
    begun: datetime,
    scenario: Scenario,
    *,
    held: bool = False,
) -> Decided:
    until = begun.timestamp() + (at if at is not None else SECONDS)
    served = [record for record in records if record.at <= until]
    bad = sum(map(scenario.is_bad, served))
    return Decided(by=by, why=why, at=at, requests=len(served), bad=bad, held=held)


def _entry(lane: Lane, weighed_at: datetime) -> Entry:
    """Return a rollout of the lane, as the bot would have it at 10 %."""
    route = lane.plane.kube.get(path_of(GATEWAY_API, "HTTPRoute", NAMESPACE, lane.route))
    rule = Rule(key="", index=0, stable_ref="{}", stable_index=0, stable_before=100, canary_before=0)
    minute = timedelta(minutes=1)
    rollout = Rollout(
        id=f"r-{lane.number}",
        channel="",
        started_by="",
        started_at=weighed_at,
        reason="",
        namespace=NAMESPACE,
        route=lane.route,
        route_uid=route["metadata"]["uid"],
        stable=Pool(NAMESPACE, lane.old),
        canary=Pool(NAMESPACE, lane.new),
        rules=(rule,),
        plan=Plan(steps=(WEIGHT, 50, 100), interval=minute, bake=minute, approve_at=(), approvals=1),
        phase=Phase.PROGRESSING,
        since=weighed_at,
        step=0,
        base=0,
        revision=1,
        decision=f"d-{weighed_at.timestamp()}",
        decided_at=weighed_at,
        turn=1,
    )
    applied = Applied(
        revision=1, decision=rollout.decision, weight=WEIGHT, at=weighed_at, generation=1, weighed_at=weighed_at
    )
    return Entry(rollout=rollout, applied=applied)
