"""Pools whose health may have changed: cards show both pools as they are now, and people hear of a brake in danger."""

import logging
from collections.abc import Callable, Set
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from threading import Lock
from typing import Final

from bot.domain.errors import ClusterError, DependencyError, RefusedError, StoreError
from bot.domain.events import Event, EventKind
from bot.domain.gate import Readiness
from bot.domain.rollout import Entry, Phase, Pool
from bot.engine.ports import Clock
from bot.engine.route_port import Routes
from bot.engine.store_port import Progress, Store

log = logging.getLogger(__name__)

EVERY: Final = timedelta(seconds=1)

PATIENCE: Final = timedelta(seconds=10)
"""A card says at once that the old pool cannot take traffic back; the channel hears of it only if that lasts."""


@dataclass(frozen=True, slots=True)
class _Doubt:
    """Since when an old pool cannot serve, and whether people were told."""

    since: datetime
    is_told: bool = False


class PoolNews:
    """Collects what the watches tell; ``sweep`` counts again for the rollouts of those pools."""

    def __init__(self, routes: Routes, store: Store, clock: Clock) -> None:
        self._routes, self._store, self._clock = routes, store, clock
        self._changed: set[Pool] = set()
        self._doubts: dict[str, _Doubt] = {}
        self._lock = Lock()

    def health_changed(self, pool: Pool) -> None:
        """Remember a pool."""
        with self._lock:
            self._changed.add(pool)

    def sweep(self, *, goes_on: Callable[[], bool] = lambda: True) -> None:
        """Look at every rollout of a pool that was told of since the last time, or whose old pool cannot serve."""
        with self._lock:
            changed, self._changed = self._changed, set()
        if not changed and not self._doubts:
            return
        try:
            failed = self._look_at(changed, goes_on)
        except DependencyError as error:
            log.info("the pools are counted again: %s", error)
            failed = changed
        with self._lock:
            self._changed |= failed

    def _look_at(self, changed: Set[Pool], goes_on: Callable[[], bool]) -> Set[Pool]:
        """Return the pools to look at again: those of rollouts that could not be looked at, or not any more."""
        entries, failed = self._store.entries(), set[Pool]()
        self._doubts = {entry.rollout.id: kept for entry in entries if (kept := self._doubts.get(entry.rollout.id))}
        for entry in entries:
            pools = changed & {entry.rollout.stable, entry.rollout.canary}
            if (pools or entry.rollout.id in self._doubts) and not (goes_on() and self._has_looked(entry)):
                failed |= pools
        return failed

    def _has_looked(self, entry: Entry) -> bool:
        """Look at one rollout; pools that nobody can count, or that break the program, must not hide the others.

        The API server may refuse for ever, so only what it does not answer is asked again.
        """
        try:
            self._look(entry)
        except RefusedError as error:
            log.info("rollout %s: its pools may not be counted: %s", entry.rollout.id, error)
        except ClusterError as error:
            log.info("rollout %s: its pools are counted again: %s", entry.rollout.id, error)
            return False
        except StoreError:
            raise
        except Exception:
            log.exception("rollout %s: its pools could not be counted", entry.rollout.id)
        return True

    def _look(self, entry: Entry) -> None:
        rollout, before = entry.rollout, entry.readiness
        seen = self._routes.readiness(rollout.stable, rollout.canary)
        told = self._tell(entry, seen)
        if told or before is None or replace(seen, at=before.at) != before:
            self._store.learn(rollout.id, rollout.decision, Progress(readiness=seen, events=told))

    def _tell(self, entry: Entry, seen: Readiness) -> tuple[Event, ...]:
        """Return what people must hear of the old pool: once that it cannot serve, and once that it can again.

        Nothing once the rollout has finished: then they are asked to remove it.
        """
        rollout_id, now = entry.rollout.id, self._clock.now()
        if entry.rollout.phase is Phase.FINISHED:
            self._doubts.pop(rollout_id, None)
            return ()
        doubt = self._doubts.get(rollout_id) or _Doubt(now)
        if not seen.stable_doubt:
            self._doubts.pop(rollout_id, None)
            return (_event(EventKind.WAY_BACK, entry, now),) if doubt.is_told else ()
        lasts = now - doubt.since >= PATIENCE
        self._doubts[rollout_id] = _Doubt(doubt.since, doubt.is_told or lasts)
        is_news = lasts and not doubt.is_told
        return (_event(EventKind.NO_WAY_BACK, entry, now, seen.stable_doubt),) if is_news else ()


def _event(kind: EventKind, entry: Entry, now: datetime, reason: str = "") -> Event:
    return Event(kind=kind, at=now, weight=entry.rollout.weight, reason=reason)
