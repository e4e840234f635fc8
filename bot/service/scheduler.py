"""APScheduler on a job store that is only a view of the ``due`` index: saving a record is scheduling it.

Nothing is pickled, nothing can be forgotten when a job starts, and there is no second truth to keep equal.
``get_due_jobs`` claims (pushes what is due ahead), so a step whose process died is asked for again.
"""

import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.job import Job
from apscheduler.jobstores.base import BaseJobStore
from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.date import DateTrigger

from bot.domain.errors import DependencyError

log = logging.getLogger(__name__)

LOOK_EVERY: Final = 0.25  # seconds; another replica's due time is seen within this
LOOK_AFTER: Final = timedelta(milliseconds=50)
"""When to look again at what is due and not to be had: data is missing, or another process leads."""

WORKERS: Final = 16


class DueTimes(Protocol):
    """The part of the store that the timer sees."""

    def claim_due(self, now: datetime, most: int = 1000) -> Sequence[tuple[str, datetime]]:
        """Return (id, due) of what is due, and push it ahead."""

    def next_due(self) -> datetime | None:
        """Return the earliest due time."""

    def due_times(self) -> Sequence[tuple[str, datetime]]:
        """Return every (id, due)."""


class DueJobStore(BaseJobStore):  # type: ignore[misc]
    """A view of the due index as APScheduler wants to see it."""

    def __init__(self, due: DueTimes, tick: Callable[[str], None], leads: Callable[[], bool]) -> None:
        super().__init__()
        self._due = due
        self._tick = tick
        self._leads = leads
        self._claimed = False

    def get_due_jobs(self, now: datetime) -> list[Job]:
        """Claim what is due; not where another process may lead by now, because a claim keeps it from others."""
        claimed = self._due.claim_due(now) if self._leads() else []
        self._claimed = bool(claimed)
        return [self._job(rollout_id, at) for rollout_id, at in claimed]

    def get_next_run_time(self) -> datetime | None:
        """Return the earliest due time; what is due already and was not to be had waits a little."""
        due, now = self._due.next_due(), datetime.now(UTC)
        return now + LOOK_AFTER if due and due <= now and not self._claimed else due

    def get_all_jobs(self) -> list[Job]:
        """Return one job for each due time."""
        return [self._job(rollout_id, at) for rollout_id, at in self._due.due_times()]

    def lookup_job(self, job_id: str) -> Job | None:
        """Return the job of one rollout."""
        return next((job for job in self.get_all_jobs() if job.id == job_id), None)

    def add_job(self, job: Job) -> None:
        """Refuse: a due time belongs to a record and is saved with it."""
        raise NotImplementedError("save the record instead: its due time is the job")

    def update_job(self, job: Job) -> None:
        """Do nothing: the step saves its own next due time."""

    def remove_job(self, job_id: str) -> None:
        """Do nothing: APScheduler calls this after the job has started, which may have a new due time by then."""

    def remove_all_jobs(self) -> None:
        """Do nothing: records end by themselves."""

    def _job(self, rollout_id: str, at: datetime) -> Job:
        return Job(
            self._scheduler,
            id=rollout_id,
            name=rollout_id,
            func=self._tick,
            args=(rollout_id,),
            kwargs={},
            trigger=DateTrigger(run_date=at, timezone=UTC),
            executor="default",
            misfire_grace_time=None,
            coalesce=True,
            max_instances=1,
            next_run_time=at,
        )


class Scheduler(BackgroundScheduler):  # type: ignore[misc]
    """A scheduler whose thread outlives a failing store, and that looks again soon."""

    def _process_jobs(self) -> float:
        try:
            wait = super()._process_jobs()
        except Exception:
            if self.running:  # else it was stopped in the middle of its look
                log.exception("the timer could not look at the due times; it tries again")
            return 1.0
        return LOOK_EVERY if wait is None else min(wait, LOOK_EVERY)


class Timer:
    """Runs in the leader: ticks of rollouts that are due, and sweeps. What it has not begun when ``leads`` says no, it
    does not begin any more.
    """

    def __init__(self, due: DueTimes, tick: Callable[[str], None], leads: Callable[[], bool] = lambda: True) -> None:
        self._due = due
        self._tick = tick
        self._leads = leads
        self._sweeps: list[tuple[str, Callable[[], object], timedelta]] = []
        self._scheduler: Scheduler | None = None

    def every(self, interval: timedelta, name: str, sweep: Callable[[], object]) -> None:
        """Have a sweep called at an interval, and once when this process becomes the leader."""
        self._sweeps.append((name, sweep, interval))

    def start(self) -> None:
        """Begin: this process is the leader now."""
        pools = {"default": ThreadPoolExecutor(WORKERS), "sweeps": ThreadPoolExecutor(len(self._sweeps) + 1)}
        scheduler = Scheduler(timezone=UTC, executors=pools)
        scheduler.add_jobstore(
            DueJobStore(self._due, _logged("a due rollout", self._tick, self._leads), self._leads), "default"
        )
        scheduler.add_jobstore(MemoryJobStore(), "sweeps")
        for name, sweep, interval in self._sweeps:
            scheduler.add_job(
                _logged(name, sweep, self._leads),
                "interval",
                seconds=interval.total_seconds(),
                id=name,
                jobstore="sweeps",
                executor="sweeps",
                next_run_time=datetime.now(UTC),
                misfire_grace_time=None,
                coalesce=True,
                max_instances=1,
            )
        scheduler.start()
        self._scheduler = scheduler

    def stop(self) -> None:
        """End; steps under way are finished first."""
        if self._scheduler is not None:
            self._scheduler.shutdown(wait=True)
            self._scheduler = None


def _logged(name: str, work: Callable[..., object], leads: Callable[[], bool]) -> Callable[..., None]:
    """Keep what fails from APScheduler, which would only log it; what was due comes again by its claim."""

    def run(*args: str) -> None:
        if not leads():
            return
        try:
            work(*args)
        except DependencyError as error:
            log.warning("%s: %s It is tried again.", name, error.message)
        except Exception:
            log.exception("%s: it broke, and is tried again", name)

    return run
