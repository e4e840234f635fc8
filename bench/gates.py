"""What the gates cost between steps: 1,000 rollouts whose gates look every 15 seconds.

Each rollout has two pools of two model servers, and all gates that are on by default. A stand-in answers for Prometheus
with as many series as vLLM's servers show. The floor asks the same queries of it and reads the answers as JSON, and no
more. The stand-in runs in a process of its own.
"""

import json
import multiprocessing
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from multiprocessing.connection import Connection
from typing import Any, Final, cast

import requests

from bench.figures import Finding, Round, rows_of
from bench.population import PLAN
from bot.domain.deadlines import WATCH_GATES_EVERY
from bot.domain.evidence import EvidenceRules
from bot.domain.rollout import Acceptance, Applied, Entry, Phase, Pool, Rollout
from bot.engine.metrics_port import Series, Span
from bot.engine.route_port import PoolMembers
from bot.gates import capacity, errors, latency, saturation
from bot.gates.gate import GateSources
from bot.gates.numbers.numbers import Numbers
from bot.gates.panel import GatePanel
from bot.prometheus.client import PrometheusClient
from bot.store.clock import SystemClock
from sandbox.fake_prometheus import fake_prometheus

ROUNDS, LOOKS, ROLLOUTS = 5, 60, 1000
GATES: Final = (errors.GATE, latency.GATE, saturation.GATE, capacity.GATE)
AGE: Final = timedelta(minutes=11)
"""So long each rollout has had its weights: its window is full."""


class Members:
    """Two pods for each pool."""

    def members(self, pool: Pool) -> PoolMembers:
        return PoolMembers(pool=pool, pods=(f"{pool.name}-a", f"{pool.name}-b"), picker=f"{pool.name}-epp")

    def least(self, pool: Pool) -> int | None:
        return None


class Counted:
    """A metrics server that keeps what it was asked."""

    def __init__(self, url: str) -> None:
        self._client = PrometheusClient(url)
        self.asked: list[tuple[str, Span]] = []

    def over(self, promql: str, span: Span) -> Sequence[Series]:
        self.asked.append((promql, span))
        return self._client.over(promql, span)


def measure() -> Finding:
    """Look at the gates of many rollouts, and count queries and processor time."""
    rounds, used, queries = list[Round](), 0.0, 0
    with _stand_in() as url:
        _look(GatePanel(GATES, {}, _sources(Counted(url)), SystemClock()), 0)  # imports the statistics
        for number in range(ROUNDS):
            metrics = Counted(url)
            panel = GatePanel(GATES, {}, _sources(metrics), SystemClock())
            began = time.process_time()
            ours = [_look(panel, number * LOOKS + look) for look in range(LOOKS)]
            used += time.process_time() - began
            queries += len(metrics.asked)
            rounds.append(Round([_bare(url, *each) for each in metrics.asked], ours))
    looks, minute = ROUNDS * LOOKS, timedelta(minutes=1) / WATCH_GATES_EVERY
    core = 100 * used / looks * ROLLOUTS * minute / 60
    notes = [
        f"{queries / looks * minute:.1f} queries for each rollout and minute serve all gates that judge numbers",
        f"{ROLLOUTS:,} rollouts: {ROLLOUTS * queries / looks * minute / 60:.0f} queries a second, and {core:.0f}% of a "
        "core",
    ]
    return Finding(title="Gates", about=__doc__ or "", rows=rows_of("a look at all gates", rounds), notes=notes)


@contextmanager
def _stand_in() -> Iterator[str]:
    """Run the stand-in in another process, and yield its address."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(there,))
    process.start()
    try:
        yield here.recv()
    finally:
        here.send("stop")
        process.join()


def _serve(pipe: Connection) -> None:
    with fake_prometheus() as fake:
        pipe.send(fake.url)
        pipe.recv()


def _sources(metrics: Counted) -> GateSources:
    numbers = Numbers(metrics, Members(), EvidenceRules(prometheus="http://stand-in"))
    return GateSources(pools=cast(Any, Members()), routes=cast(Any, None), numbers=numbers)


def _look(panel: GatePanel, number: int) -> float:
    entry = _entry(number, SystemClock().now())
    began = time.perf_counter()
    verdict = panel.check_between_steps(entry)
    seconds = time.perf_counter() - began
    if verdict.reason:
        raise RuntimeError(verdict.reason)
    return seconds


def _bare(url: str, promql: str, span: Span) -> float:
    began = time.perf_counter()
    times = {"start": span.start, "end": span.end, "step": span.step}
    json.loads(requests.post(f"{url}/api/v1/query_range", data={"query": promql, **times}, timeout=10).content)
    return time.perf_counter() - began


def _entry(number: int, now: datetime) -> Entry:
    """Return a rollout at 10 %, with pools of its own."""
    began = now - AGE
    rollout = Rollout(
        id=f"r-{number:08x}",
        channel="C0INFER001",
        started_by="U0ALICE001",
        started_at=began,
        reason="",
        namespace="default",
        route=f"route-{number}",
        route_uid=f"uid-{number}",
        stable=Pool("default", f"old-{number}"),
        canary=Pool("default", f"new-{number}"),
        rules=(),
        plan=replace(PLAN, steps=(10, 50, 100)),
        phase=Phase.PROGRESSING,
        since=began,
        step=0,
        base=0,
        revision=1,
        decision=f"d-{number}",
        decided_at=began,
        turn=1,
    )
    applied = Applied(revision=1, decision=rollout.decision, weight=10, at=began, weighed_at=began)
    return Entry(rollout=rollout, applied=applied, acceptance=Acceptance.ACCEPTED)
