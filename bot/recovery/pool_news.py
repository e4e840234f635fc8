"""Pools whose health may have changed: cards show both pools as they are now, and people hear of a brake in danger."""

import logging
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import chain
from threading import Lock
from typing import Final

from bot.domain.decisions.drift import share
from bot.domain.errors import ClusterError, DependencyError, RefusedError, StoreError
from bot.domain.events import Event, EventKind
from bot.domain.gate import POOLS_READY, Readiness
from bot.domain.rollout import Entry, Phase, Pool, Rollout
from bot.engine.ports import Clock
from bot.engine.route_port import Routes
from bot.engine.store_port import Progress, Store

log = logging.getLogger(__name__)

EVERY: Final = timedelta(seconds=1)

PATIENCE: Final = timedelta(seconds=10)
"""A card says at once that a pool cannot serve; the channel hears of it only if that lasts."""


@dataclass(frozen=True, slots=True)
class _Doubt:
    """Since when a pool cannot serve, and whether people were told."""

    since: datetime
    is_told: bool = False


@dataclass(frozen=True, slots=True)
class _Danger:
    """A pool that cannot serve: what is told when that begins and ends, and why it is so (empty if it is not)."""

    begins: EventKind
    ends: EventKind
    doubt: Callable[[Rollout, Readiness], str]


def _old(rollout: Rollout, seen: Readiness) -> str:
    return seen.stable_doubt


def _new(rollout: Rollout, seen: Readiness) -> str:
    found = share(rollout.drift) if rollout.drift else rollout.weight
    return "" if found == 0 else seen.canary_doubt


_DANGERS: Final = (
    _Danger(EventKind.NO_WAY_BACK, EventKind.WAY_BACK, _old),
    _Danger(EventKind.NOT_SERVING, EventKind.SERVING, _new),
)


class _Counted:
    """What one sweep has counted: many rollouts may move the same pools. What changes later is looked at again."""

    def __init__(self, routes: Routes) -> None:
        self._routes = routes
        self._counted: dict[tuple[Pool, Pool], Readiness] = {}

    def readiness(self, stable: Pool, canary: Pool) -> Readiness:
        """Count both pools, once. Raises ClusterError."""
        pair = stable, canary
        if pair not in self._counted:
            self._counted[pair] = self._routes.readiness(stable, canary)
        return self._counted[pair]


class PoolNews:
    """Collects what the watches tell; ``sweep`` counts again for the rollouts of those pools.

    ``events`` returns what people were told of a rollout after the first ones.
    """

    def __init__(
        self, routes: Routes, store: Store, clock: Clock, events: Callable[[str, int], Sequence[Event]]
    ) -> None:
        self._routes, self._store, self._clock, self._events = routes, store, clock, events
        self._changed: set[Pool] = set()
        self._doubts: dict[str, dict[EventKind, _Doubt]] = {}  # by rollout, and by what is told of it
        self._lock = Lock()

    def health_changed(self, pool: Pool) -> None:
        """Remember a pool."""
        with self._lock:
            self._changed.add(pool)

    def sweep(self, *, goes_on: Callable[[], bool] = lambda: True) -> None:
        """Look at every rollout of a pool that was told of since the last time, or with one that cannot serve."""
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
        entries, failed, counted = self._store.entries(), set[Pool](), _Counted(self._routes)
        self._doubts = {entry.rollout.id: kept for entry in entries if (kept := self._doubts.get(entry.rollout.id))}
        for entry in entries:
            pools = changed & {entry.rollout.stable, entry.rollout.canary}
            if (pools or entry.rollout.id in self._doubts) and not (goes_on() and self._has_looked(entry, counted)):
                failed |= pools
        return failed

    def _has_looked(self, entry: Entry, counted: _Counted) -> bool:
        """Look at one rollout; pools that nobody can count, or that break the program, must not hide the others.

        The API server may refuse for ever, so only what it does not answer is asked again.
        """
        try:
            return self._look(entry, counted)
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

    def _look(self, entry: Entry, counted: _Counted) -> bool:
        """Say whether people have heard what they must; not if the rollout has moved on meanwhile."""
        rollout, before, doubts = entry.rollout, entry.readiness, dict(self._doubts.get(entry.rollout.id, {}))
        seen = counted.readiness(rollout.stable, rollout.canary)
        told = self._tell(entry, seen)
        if told or before is None or replace(seen, at=before.at) != before:
            due = self._clock.now() if _can_go_on(entry, seen) else None
            is_saved = self._store.learn(rollout.id, rollout.decision, Progress(readiness=seen, events=told, due=due))
            if told and not is_saved:
                self._doubts[rollout.id] = doubts
                return False
        return True

    def _tell(self, entry: Entry, seen: Readiness) -> tuple[Event, ...]:
        """Return what people must hear: once that a pool cannot serve, and once that it can again.

        Nothing once the rollout has finished: then they are asked to remove the old pool.
        """
        if entry.rollout.phase is Phase.FINISHED:
            self._doubts.pop(entry.rollout.id, None)
            return ()
        told = tuple(chain.from_iterable(self._tell_of(danger, entry, seen) for danger in _DANGERS))
        if not self._doubts.get(entry.rollout.id):
            self._doubts.pop(entry.rollout.id, None)
        return told

    def _tell_of(self, danger: _Danger, entry: Entry, seen: Readiness) -> Iterator[Event]:
        rollout, now = entry.rollout, self._clock.now()
        why, doubts = danger.doubt(rollout, seen), self._doubts.setdefault(rollout.id, {})
        if why:
            doubt = doubts.setdefault(danger.begins, _Doubt(now))
            if doubt.is_told or now - doubt.since < PATIENCE:
                return
            doubts[danger.begins] = replace(doubt, is_told=True)
            if not self._is_told(danger, rollout):
                yield Event(kind=danger.begins, at=now, weight=rollout.weight, reason=why)
            return
        was_there = entry.readiness is not None and bool(danger.doubt(rollout, entry.readiness))
        if (doubts.pop(danger.begins, None) or was_there) and self._is_told(danger, rollout):
            yield Event(kind=danger.ends, at=now, weight=rollout.weight)

    def _is_told(self, danger: _Danger, rollout: Rollout) -> bool:
        """Say whether people have heard that it began and not that it ended, from this process or another."""
        heard = [event.kind for event in self._events(rollout.id, 0) if event.kind in (danger.begins, danger.ends)]
        return heard[-1:] == [danger.begins]


def _can_go_on(entry: Entry, seen: Readiness) -> bool:
    """Say whether a rollout is held for its new pool, which can serve now: its gates are asked at once."""
    could = entry.readiness is not None and not entry.readiness.canary_doubt
    is_held = entry.rollout.phase is Phase.HOLDING and POOLS_READY in entry.rollout.held_by
    return is_held and not could and not seen.canary_doubt
