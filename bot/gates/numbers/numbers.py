"""The numbers of a rollout's two pools: one query for all gates that look at the same time."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from threading import Lock, Semaphore
from typing import Final, Protocol

from bot.domain.chart import Chart
from bot.domain.errors import MetricsError, TooMuchError
from bot.domain.evidence import EvidenceRules
from bot.domain.rollout import Applied, Entry, Pool, Rollout
from bot.engine.metrics_port import Metrics, Series, Span
from bot.engine.route_port import PoolMembers
from bot.gates.numbers.history import charts_of, history_span
from bot.gates.numbers.query import promql, series_over
from bot.gates.numbers.reading import read
from bot.gates.numbers.tally import Tally, total
from bot.gates.numbers.window import (
    NO_TRAFFIC,
    LackError,
    NothingToCompareError,
    Window,
    begin_of,
    begun_before,
    earlier_span,
    span_since,
    window_of,
)

MANY: Final = 1_000_000
"""Pods for which a window has as few slices as it may have."""
FRESH: Final = timedelta(seconds=10)
"""Gates that are asked again so soon get the same numbers."""
ASK_EARLIER_EVERY: Final = timedelta(minutes=1)
LARGE_FOR: Final = timedelta(minutes=30)
"""So long a pool of which everything was too much is asked about in the largest slices."""
FEW_PODS, LARGE_AT_ONCE = 30, 2
"""With more pods than that an answer takes much memory, so only so many are read at once."""
IN_TURN_WITHIN: Final = 4.0
"""Seconds that such a look waits for its turn: a gate has ten for all."""
WAITS: Final = "Prometheus is slow: I still read the numbers of other large pools, and then look at these again."
FORGET_AFTER: Final = timedelta(hours=1)
"""When the pods of a pool are forgotten that nobody asks about."""


class MemberSource(Protocol):
    """Who serves a pool. Raises ClusterError."""

    def members(self, pool: Pool) -> PoolMembers:
        """Name the pods and the picker's Service of a pool."""


@dataclass(frozen=True, slots=True)
class _Steady:
    """The pods of a pool at the last look, since when we look, and since when none has left (0: none has).

    Times are in seconds since 1970.
    """

    pods: frozenset[str]
    watched: float
    looked: float
    since: float = 0.0

    def then(self, pods: frozenset[str], now: float) -> "_Steady":
        """Return what is so with the pods of a later look."""
        return _Steady(pods, self.watched, now, now if self.pods - pods else self.since)


@dataclass(frozen=True, slots=True)
class _Kept:
    at: datetime
    window: "Future[Window]"


@dataclass(frozen=True, slots=True)
class _Earlier:
    at: datetime
    tallies: tuple[Tally, ...]


class Numbers:
    """May be used by many threads; those that ask about one rollout at the same time wait for one answer."""

    def __init__(
        self,
        metrics: Metrics,
        pools: MemberSource,
        rules: EvidenceRules,
        *,
        past: Metrics | None = None,
        own: Metrics | None = None,
        fresh: timedelta = FRESH,
    ) -> None:
        """``past`` is asked for what no gate waits for, ``own`` for people's own queries.

        If one of those takes too long, ``metrics`` is asked all the same.
        """
        self.metrics, self.pools, self.rules, self._fresh = metrics, pools, rules, fresh
        self.past, self.own = past or metrics, own or metrics
        self._kept: dict[tuple[str, str, datetime | None], _Kept] = {}
        self._large: dict[Pool, datetime] = {}
        self._steady: dict[Pool, _Steady] = {}
        self._before: dict[tuple[PoolMembers, datetime], _Earlier] = {}
        self._lock, self._charting = Lock(), Lock()
        self._large_at_once = Semaphore(LARGE_AT_ONCE)

    def window(self, entry: Entry, now: datetime, after: datetime | None = None) -> Window:
        """Return what both pools did since the weights changed, and not before ``after``.

        Raises LackError, MetricsError, ClusterError, NothingToCompareError.
        """
        key = entry.rollout.id, entry.applied.decision if entry.applied else "", after
        with self._lock:
            is_mine, kept = False, self._kept.get(key)
            if kept is None or now - kept.at >= self._fresh:
                is_mine, kept = True, _Kept(now, Future())
                self._kept = {each: of for each, of in self._kept.items() if now - of.at < self._fresh} | {key: kept}
        if is_mine:
            _carry_out(kept.window, lambda: self._ask(entry, now, after))
        return kept.window.result()

    def history(self, rollout: Rollout, now: datetime) -> tuple[Chart, ...]:
        """Draw what the pods of both pools did since a rollout began. Raises MetricsError, ClusterError."""
        span = history_span(rollout.started_at, now)
        if span is None:
            return ()
        stable, canary = self.pools.members(rollout.stable), self.pools.members(rollout.canary)
        queries = promql(stable, canary, labels=self.rules.labels)
        with self._charting:  # one answer at a time: they are long
            return charts_of(series_over(self.past, queries, span), stable, canary, span) if queries else ()

    def _ask(self, entry: Entry, now: datetime, after: datetime | None) -> Window:
        rollout, applied = entry.rollout, entry.applied
        if applied is None or not (applied.weight or rollout.mirror):
            raise LackError(NO_TRAFFIC)
        stable, canary = self.pools.members(rollout.stable), self.pools.members(rollout.canary)
        if len(stable.pods) + len(canary.pods) <= FEW_PODS:
            return self._ask_about(stable, canary, applied, now, after)
        if not self._large_at_once.acquire(timeout=IN_TURN_WITHIN):
            raise MetricsError(WAITS)
        try:
            return self._ask_about(stable, canary, applied, now, after)
        finally:
            self._large_at_once.release()

    def _ask_about(
        self, stable: PoolMembers, canary: PoolMembers, applied: Applied, now: datetime, after: datetime | None
    ) -> Window:
        steady = [self._steady_of(pool, now) for pool in (stable, canary)]
        about = applied.weighed_since, now, self.rules
        span, whole, series = self._series(
            stable, canary, partial(span_since, *about, after=after), begin_of(*about, after=after), now
        )
        both = applied.weight < 100
        longest = self.rules.window.total_seconds() - 2 * span.step
        window = window_of(
            series,
            stable,
            canary,
            span,
            both=both,
            longest=longest,
            steady_since=max(each.since for each in steady),
            begin=whole.start,
            since=max(applied.weighed_since, after or applied.weighed_since).timestamp(),
        )
        window = replace(window, labels=self.rules.labels, watched_since=max(each.watched for each in steady))
        if both:
            return window
        earlier = self._earlier(stable, applied.weighed_since, now)
        if not total(earlier).arrived:
            raise NothingToCompareError(window)
        return replace(window, earlier=earlier)

    def _series(
        self, stable: PoolMembers, canary: PoolMembers, span_of: Callable[[int], Span], begin: float, now: datetime
    ) -> tuple[Span, Span, Sequence[Series]]:
        """Ask about both pools; if that is too much, in the largest slices: a pod may have many engines.

        Returns the span to judge, the one with what was before it since ``begin``, and the series of that.
        """
        pods = self._counted(now, stable, canary)
        span, queries = span_of(pods), promql(stable, canary, labels=self.rules.labels)
        whole = begun_before(span, begin, pods)
        try:
            return span, whole, series_over(self.metrics, queries, whole)
        except TooMuchError:
            if pods == MANY:
                raise
            with self._lock:
                self._large |= dict.fromkeys((stable.pool, canary.pool), now)
            return self._series(stable, canary, span_of, begin, now)

    def _counted(self, now: datetime, *pools: PoolMembers) -> int:
        with self._lock:
            self._large = {pool: since for pool, since in self._large.items() if now - since < LARGE_FOR}
            is_large = any(each.pool in self._large for each in pools)
        return MANY if is_large else sum(len(each.pods) for each in pools)

    def _steady_of(self, pool: PoolMembers, now: datetime) -> _Steady:
        """Remember the pods of a pool: of one that has left we know nothing."""
        pods, at = frozenset(pool.pods), now.timestamp()
        oldest = at - FORGET_AFTER.total_seconds()
        with self._lock:
            self._steady = {each: of for each, of in self._steady.items() if of.looked > oldest}
            known = self._steady[pool.pool] = self._steady.get(pool.pool, _Steady(pods, at, at)).then(pods, at)
        return known

    def _earlier(self, stable: PoolMembers, weighed_at: datetime, now: datetime) -> tuple[Tally, ...]:
        """Return what the old pool did before it lost its last traffic; nothing if its servers are new, or gone.

        It is asked once a minute: it does not change while the same pods are there.
        """
        with self._lock:
            self._before = {each: of for each, of in self._before.items() if now - of.at < ASK_EARLIER_EVERY}
            kept = self._before.get((stable, weighed_at))
        if kept is None:
            kept = _Earlier(now, self._ask_earlier(stable, weighed_at, now))
            if total(kept.tallies).arrived:
                with self._lock:
                    self._before[stable, weighed_at] = kept
        return kept.tallies

    def _ask_earlier(self, stable: PoolMembers, weighed_at: datetime, now: datetime) -> tuple[Tally, ...]:
        span = earlier_span(weighed_at, self.rules, self._counted(now, stable))
        queries = promql(stable, labels=self.rules.labels)
        tallies = read(series_over(self.metrics, queries, span), stable, span).tallies
        return tuple(tally for tally in tallies if tally.pods)


def _carry_out(future: "Future[Window]", ask: Callable[[], Window]) -> None:
    try:
        future.set_result(ask())
    except Exception as error:
        future.set_exception(error)
