"""How late steps come with 10,000 records in the store: 167 a second, and all at once.

The timer is the bot's, on Redis. A step only removes its due time, as a step that saves its record would. The floor
is APScheduler with the same times, held in memory, where a crash would lose them, and steps that write nothing.
"""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor as Threads
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from resource import getpagesize

import redis
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from bench.figures import Finding, Round, rows_of
from bench.population import a_rollout
from bench.servers import Servers, memory_of
from bot.domain.rollout import Applied, Change
from bot.engine.store_port import Progress, Save
from bot.service.scheduler import WORKERS, Timer
from bot.store.clock import SystemClock
from bot.store.store import RedisStore

RECORDS, ROUNDS, BURSTS = 10_000, 3, 3
GAP = 60.0 / RECORDS
A_QUARTER = RECORDS // 4
"""So many fall due in one round, at a rate of RECORDS a minute."""

DECISION = "bench"
LEAD = 1.0
"""Seconds between writing the last due time and the first step."""


@dataclass
class Late:
    """Records how late each step came."""

    due: dict[str, float]
    lates: dict[str, float] = field(default_factory=dict)
    all_came: threading.Event = field(default_factory=threading.Event)

    def came(self, rollout_id: str) -> None:
        self.lates.setdefault(rollout_id, time.time() - self.due[rollout_id])
        if len(self.lates) == len(self.due):
            self.all_came.set()

    def wait(self) -> list[float]:
        """Wait for the last step, and return how late each was, in seconds."""
        self.all_came.wait(120)
        return list(self.lates.values())


@dataclass
class Cost:
    """What some work cost: CPU of this process and of Valkey."""

    client: "redis.Redis"
    ours: float = 0
    valkey: float = 0
    seconds: float = 0

    def of(self, work: Callable[[], list[float]]) -> list[float]:
        """Do some work and add its cost."""
        begun, ours, valkey = time.perf_counter(), time.process_time(), self._valkey()
        answer = work()
        self.ours += time.process_time() - ours
        self.valkey += self._valkey() - valkey
        self.seconds += time.perf_counter() - begun
        return answer

    def __str__(self) -> str:
        return f"{self.ours / self.seconds:.0%} of a core here and {self.valkey / self.seconds:.0%} in Valkey"

    def _valkey(self) -> float:
        told = self.client.info("cpu")
        return float(told["used_cpu_user"]) + float(told["used_cpu_sys"])


def measure(servers: Servers) -> Finding:
    """Measure the lateness of steps spread over a minute, and of steps that are all due at once."""
    client = servers.redis()
    store = memory_of(client).store
    before, stored = _resident(), int(client.info("memory")["used_memory"])
    ids = _fill(store)
    memory = (int(client.info("memory")["used_memory"]) - stored) / RECORDS
    floor_cost, our_cost, burst_floor, burst_cost = (Cost(client) for _ in range(4))
    spread = [_spread(store, ids[each * A_QUARTER :][:A_QUARTER], floor_cost, our_cost) for each in range(ROUNDS)]
    bursts = [_burst(store, ids, burst_floor, burst_cost) for _ in range(BURSTS)]
    notes = [
        f"{memory / 1024:.1f} KiB of Valkey for a record with its indexes, {memory * RECORDS / 2**20:.0f} MiB for all;"
        f" this process grew by {(_resident() - before) / 2**20:.0f} MiB over all rounds",
        f"at 10,000 a minute: {our_cost}; the floor {floor_cost}",
        f"all at once: {burst_cost.ours / BURSTS:.1f} s of CPU here and {burst_cost.valkey / BURSTS:.1f} s in Valkey,"
        f" the floor {burst_floor.ours / BURSTS:.1f} s",
        f"latest of all: spread {max(max(each.ours) for each in spread):.3f} s"
        f" (floor {max(max(each.floor) for each in spread):.3f} s),"
        f" at once {max(max(each.ours) for each in bursts):.1f} s"
        f" (floor {max(max(each.floor) for each in bursts):.1f} s)",
    ]
    rows = [*rows_of("step late, 10,000 a minute", spread), *rows_of("step late, 10,000 at once", bursts)]
    return Finding(title="Lateness of steps", about=__doc__ or "", rows=rows, notes=notes)


def _fill(store: RedisStore) -> list[str]:
    """Save records that are not due yet, each with its own route."""
    template, now = replace(a_rollout(), decision=DECISION), datetime.now(UTC)
    applied = Applied(revision=template.revision, decision=template.decision, weight=10, at=now)

    def save(number: int) -> str:
        rollout = replace(template, id=f"r-{number:08x}", route=f"route-{number}", route_uid=f"uid-{number}")
        change = Change(after=rollout, events=(), due=now + timedelta(days=1))
        store.save(Save(change=change, expected=None, take_slot=True, applied=applied, settled=True))
        return rollout.id

    with Threads(4) as pool:
        return list(pool.map(save, range(RECORDS)))


def _spread(store: RedisStore, ids: Sequence[str], floor_cost: Cost, our_cost: Cost) -> Round:
    return Round(
        floor=_floor(_times(ids, LEAD, GAP), floor_cost),
        ours=_ours(store, _times(ids, LEAD + len(ids) * 0.001, GAP), our_cost),
    )


def _burst(store: RedisStore, ids: Sequence[str], floor_cost: Cost, our_cost: Cost) -> Round:
    return Round(floor=_floor(_times(ids, 0, 0), floor_cost), ours=_ours(store, _times(ids, 0, 0), our_cost))


def _times(ids: Sequence[str], lead: float, gap: float) -> dict[str, float]:
    """Return due times from ``lead`` seconds from now on, ``gap`` apart."""
    first = time.time() + lead
    return {rollout_id: first + place * gap for place, rollout_id in enumerate(ids)}


def _ours(store: RedisStore, due: dict[str, float], cost: Cost) -> list[float]:
    late = Late(due)

    def step(rollout_id: str) -> None:
        late.came(rollout_id)
        store.forget_due(rollout_id)

    timer = Timer(store, SystemClock(), step)
    for rollout_id, at in due.items():
        store.learn(rollout_id, DECISION, Progress(due=datetime.fromtimestamp(at, UTC), redraw=False))
    _from_now_on(late)
    timer.start()
    try:
        return cost.of(late.wait)
    finally:
        timer.stop()


def _floor(due: dict[str, float], cost: Cost) -> list[float]:
    late = Late(due)
    scheduler = BackgroundScheduler(timezone=UTC, executors={"default": ThreadPoolExecutor(WORKERS)})
    scheduler.start(paused=True)
    for rollout_id, at in due.items():
        when = datetime.fromtimestamp(at, UTC)
        scheduler.add_job(late.came, "date", run_date=when, args=[rollout_id], misfire_grace_time=None)
    _from_now_on(late)
    scheduler.resume()
    try:
        return cost.of(late.wait)
    finally:
        scheduler.shutdown()


def _from_now_on(late: Late) -> None:
    """Count a step as due now if it fell due while the due times were being written."""
    now = time.time()
    late.due = {rollout_id: max(at, now) for rollout_id, at in late.due.items()}


def _resident() -> int:
    """Return the memory of this process in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * getpagesize()
