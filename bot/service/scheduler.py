"""The timer and the sweeps: one job of APScheduler asks the store what is due; saving a record is all the scheduling.

Nothing is pickled, no job is forgotten when it starts, and there is no second copy of the due times to keep in step.
``claim_due`` pushes what is due ahead, so a step whose process died comes up again. The job runs in APScheduler's own
thread: another one in between would make every step half a millisecond later.
"""

import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final, Protocol

from apscheduler.executors.debug import DebugExecutor
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.job import Job
from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger

from bot.domain.errors import DependencyError
from bot.engine.lane import Lane
from bot.engine.ports import Clock

log = logging.getLogger(__name__)

LOOK_EVERY: Final = timedelta(seconds=0.25)
"""The timer sees another replica's due time within this time."""

LOOK_AFTER: Final = timedelta(milliseconds=50)
"""When to look again if the timer cannot claim what is due: data is missing, or another process leads."""

AFTER_FAILURE: Final = timedelta(seconds=1)
WORKERS: Final = 16
DUE: Final = "due rollouts"


class DueTimes(Protocol):
    """The part of the store that the timer sees."""

    def claim_due(self, now: datetime, most: int = 1000) -> Sequence[tuple[str, datetime]]:
        """Return (id, due) of what is due, and push it ahead."""

    def next_due(self) -> datetime | None:
        """Return the earliest due time."""


class _NextLook(BaseTrigger):  # type: ignore[misc]
    """Fires at a time that the look before has set. APScheduler also asks it before that look, and then the time is
    not later than ``now``; its answer must always be later.
    """

    def __init__(self) -> None:
        self.at = datetime.now(UTC)

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
        return max(self.at, now + timedelta(microseconds=1))


class _Jobs(MemoryJobStore):  # type: ignore[misc]
    """Outlives a clock that jumps: APScheduler goes by this machine's, and would do nothing until it has caught up."""

    def __init__(self) -> None:
        super().__init__()
        self._seen = datetime.now(UTC)

    def get_due_jobs(self, now: datetime) -> list[Job]:
        """Return what is due, and everything if the clock went back since the last call."""
        went_back, self._seen = now < self._seen, now
        for job in self.get_all_jobs() if went_back else ():
            job.modify(next_run_time=now)
        return list(super().get_due_jobs(now))

    def get_next_run_time(self) -> datetime:
        """Return a time soon enough to notice a jump."""
        soon = datetime.now(UTC) + LOOK_EVERY
        return min(super().get_next_run_time() or soon, soon)


class Timer:
    """Runs in the leader: ticks of rollouts that are due, and sweeps. What it has not begun when ``leads`` says no, it
    does not begin any more.
    """

    def __init__(
        self, due: DueTimes, clock: Clock, tick: Callable[[str], None], leads: Callable[[], bool] = lambda: True
    ) -> None:
        """Take the store's due times, which are by ``clock``: in Redis they are by Redis's."""
        self._due, self._clock = due, clock
        self._tick = _logged("a due rollout", tick, leads)
        self._leads = leads
        self._sweeps: list[tuple[str, Callable[[], object], timedelta]] = []
        self._running: tuple[BackgroundScheduler, ThreadPoolExecutor, Lane] | None = None

    def every(self, interval: timedelta, name: str, sweep: Callable[[], object]) -> None:
        """Call a sweep at an interval, and once when this process becomes the leader."""
        self._sweeps.append((name, _logged(name, sweep, self._leads), interval))

    def start(self) -> None:
        """Begin: this process is the leader now."""
        threads = ThreadPoolExecutor(len(self._sweeps) + 1)
        scheduler = BackgroundScheduler(
            timezone=UTC,
            jobstores={"default": _Jobs()},
            executors={"default": threads, "here": DebugExecutor()},
            job_defaults={"misfire_grace_time": None, "coalesce": True},
        )
        lane = Lane("tick", WORKERS)
        look, now = _NextLook(), datetime.now(UTC)
        scheduler.add_job(self._look, look, args=(look, lane), id=DUE, executor="here", next_run_time=now)
        for name, work, interval in self._sweeps:
            scheduler.add_job(work, "interval", seconds=interval.total_seconds(), id=name, next_run_time=now)
        scheduler.start()
        self._running = scheduler, threads, lane

    def stop(self) -> None:
        """Finish the running steps, and stop."""
        if self._running is not None:
            scheduler, threads, lane = self._running
            scheduler.shutdown(wait=False)  # it would wait for sweeps while holding a lock that a look needs
            threads.shutdown(wait=True)
            lane.close()
            self._running = None

    def _look(self, look: _NextLook, lane: Lane) -> None:
        """Begin what is due, and look again when the next is due, which may be sooner than the interval says."""
        again = AFTER_FAILURE
        try:
            again = self._begin_due(lane)
        except DependencyError as error:
            log.warning("The timer cannot read the due times: %s I try again.", error.message)
        except Exception:
            log.exception("The timer could not read the due times; it tries again.")
        look.at = datetime.now(UTC) + again

    def _begin_due(self, lane: Lane) -> timedelta:
        """Claim and begin, and return when to look again; claim nothing if another process may lead by now, because
        a claim keeps it from others.
        """
        now = self._clock.now()
        claimed = self._due.claim_due(now) if self._leads() else []
        for rollout_id, _ in claimed:
            lane.take(partial(self._tick, rollout_id), key=rollout_id)
        due = self._due.next_due()
        if due is None:
            return LOOK_EVERY
        left = due - self._clock.now()  # a look takes about as long as a step may be late
        return min(LOOK_EVERY, left if claimed or due > now else LOOK_AFTER)


def _logged(name: str, work: Callable[..., object], leads: Callable[[], bool]) -> Callable[..., None]:
    """Handle failures here, as APScheduler would only log them; the claim brings back what was due."""

    def run(*args: str) -> None:
        if not leads():
            return
        try:
            work(*args)
        except DependencyError as error:
            log.warning("%s: %s I try again.", name, error.message)
        except Exception:
            log.exception("%s: it broke; I try again", name)

    return run
