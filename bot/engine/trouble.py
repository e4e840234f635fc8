"""What people hear of a write that fails, and when it is tried next."""

from datetime import datetime, timedelta

from bot.domain.backoff import Backoff
from bot.domain.deadlines import ROLLBACK_LASTS, WRITE_LASTS, WRITE_WITHIN
from bot.domain.decisions.by_route import raises
from bot.domain.errors import ClusterError, DependencyError, RefusedError, RouteError
from bot.domain.events import Event, EventKind
from bot.domain.rollout import TAKEN_BACK, Entry, Rollout, Trouble
from bot.engine.store_port import Progress

WRITE_BACKOFF = Backoff(timedelta(seconds=1), timedelta(seconds=30))
ROLLBACK_BACKOFF = Backoff(timedelta(seconds=1), timedelta(seconds=5))


def failed(entry: Entry, error: DependencyError | RouteError, now: datetime) -> Progress:
    """Return what is learnt from one more failure to write what ``entry``, as it is stored, wants.

    The first one is only told. It is trouble once it lasts, and at once if the API server has said no.
    """
    rollout = entry.rollout
    old = entry.trouble if entry.trouble and entry.trouble.attempts else None
    since, attempts = (old.since, old.attempts + 1) if old else (now, 1)
    was_told = old is not None and old.is_told
    is_trouble = not was_told and (isinstance(error, (RefusedError, RouteError)) or now - since >= _lasts(rollout))
    trouble = Trouble(since=since, reason=str(error), attempts=attempts, is_told=was_told or is_trouble)
    told: tuple[Event, ...] = ()
    if is_trouble:
        told = (_event(EventKind.TROUBLE, rollout, now, f"{_what(rollout)} is not on the route. {error}"),)
    elif old is None:
        told = (_event(EventKind.NOT_WRITTEN, rollout, now, str(error)),)
    return Progress(trouble=trouble, events=told, redraw=bool(told), retry=_next_try(rollout, now, attempts, error))


def _event(kind: EventKind, rollout: Rollout, now: datetime, reason: str) -> Event:
    return Event(kind=kind, at=now, weight=rollout.weight, reason=reason)


def _what(rollout: Rollout) -> str:
    return "The roll back" if rollout.phase in TAKEN_BACK else "The last decision"


def _lasts(rollout: Rollout) -> timedelta:
    return ROLLBACK_LASTS if rollout.phase in TAKEN_BACK else WRITE_LASTS


def _next_try(rollout: Rollout, now: datetime, attempts: int, error: Exception) -> datetime:
    """Return when to try again: a step up, at the latest when it has to ask the gates again."""
    asked = error.retry_after if isinstance(error, ClusterError) else 0.0
    backoff = ROLLBACK_BACKOFF if rollout.phase in TAKEN_BACK else WRITE_BACKOFF
    next_try = now + backoff.wait(attempts, asked=timedelta(seconds=asked))
    late = rollout.decided_at + WRITE_WITHIN
    return min(next_try, late) if raises(rollout) and now < late else next_try
