"""The window that gates judge: both pools over the same minutes, or why there is none yet."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil, floor
from typing import Final

from bot.domain.evidence import EvidenceRules
from bot.domain.plan import show_duration
from bot.engine.metrics_port import Series, Span
from bot.engine.route_port import PoolMembers
from bot.gates.numbers.reading import read
from bot.gates.numbers.tally import Tally, Total, total

SLICES: Final = 20
"""At most so many slices make a window."""
MANY_PODS: Final = 60
"""With more pods a window has fewer slices, so that an answer stays as long."""
FEWEST: Final = 2
FEW_SLICES: Final = 6
NO_TRAFFIC: Final = "The new pool has no traffic yet."
STALE: Final = timedelta(minutes=2)


class LackError(Exception):
    """There are no numbers to judge; the message is a sentence."""


class NothingToCompareError(Exception):
    """The old pool has no traffic any more, and nobody knows what it did before: its servers are new, or gone."""


@dataclass(frozen=True, slots=True)
class Slice:
    """Both pools between the same two times."""

    stable: Tally
    canary: Tally


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Slices in the order of time, of ``step`` seconds each, without those in which a pool was not seen.

    ``earlier`` is what the old pool did before it lost all its traffic: then it is compared with that. ``members`` are
    those of the new pool, and ``names`` what its model servers call what they show.
    """

    slices: tuple[Slice, ...]
    step: float
    members: PoolMembers
    names: frozenset[str] = frozenset()
    earlier: tuple[Tally, ...] = ()

    def canary(self, slices: Sequence[Slice] | None = None) -> Total:
        """Add up what the new pool did, in all slices or in some."""
        return total([each.canary for each in (self.slices if slices is None else slices)])

    def stable(self, slices: Sequence[Slice] | None = None) -> Total:
        """Add up what the old pool did in the same slices, or earlier."""
        return total(self.earlier or [each.stable for each in (self.slices if slices is None else slices)])

    def lasting(self, time: timedelta) -> int:
        """Return how many slices cover a time."""
        return -int(-time.total_seconds() // self.step)

    @property
    def seconds(self) -> float:
        """Return for how long it has numbers."""
        return len(self.slices) * self.step


def span_since(weighed_at: datetime, now: datetime, rules: EvidenceRules, pods: int = 1) -> Span:
    """Return what to ask for about so many pods. Raises LackError while the weights are too new."""
    settled = weighed_at + rules.settle
    begin, end = ceil(max(settled, now - rules.window).timestamp()), floor(now.timestamp())
    slices = max(FEW_SLICES, SLICES * MANY_PODS // max(MANY_PODS, pods))
    span = aligned(begin, end, max(1, -(-(end - begin) // slices)))
    if span.end - span.start < FEWEST * span.step:
        left = max(timedelta(seconds=1), settled + timedelta(seconds=(FEWEST + 1) * span.step) - now)
        raise LackError(f"The weights are new, and caches are cold; I start judging in {show_duration(left)}.")
    return span


def aligned(begin: int, end: int, step: int) -> Span:
    """Return the span of the multiples of a step between two times: some servers answer for those and no others."""
    return Span(start=-(-begin // step) * step, end=end // step * step, step=step)


def earlier_span(weighed_at: datetime, rules: EvidenceRules) -> Span:
    """Return what to ask for about the old pool before it lost its last traffic."""
    end, seconds = floor(weighed_at.timestamp()), floor(rules.window.total_seconds())
    return aligned(end - seconds, end, max(1, -(-seconds // SLICES)))


def window_of(
    series: Sequence[Series], stable: PoolMembers, canary: PoolMembers, span: Span, *, both: bool = True
) -> Window:
    """Read a window. Raises LackError if the numbers of a pool are missing, or old; ``both``: the old pool's too."""
    seen = {pool: read(series, pool, span) for pool in (stable, canary)}
    for pool, numbers in seen.items():
        if pool is stable and not both:
            continue
        if not any(tally.is_seen for tally in numbers.tallies):
            look = "`rolloutbot check-config --prometheus` says what it has"
            raise LackError(f"Prometheus has no numbers of the model servers of `{pool.pool.name}`; {look}.")
        if any(not each.values for each in series if each.labels.get("pod") in pool.pods):
            raise LackError(
                f"Prometheus has values of the model servers of `{pool.pool.name}` that are no numbers (NaN)."
            )
        if numbers.newest and span.end - numbers.newest > STALE.total_seconds():
            age = show_duration(timedelta(seconds=round(span.end - numbers.newest)))
            raise LackError(f"The newest numbers of `{pool.pool.name}` are {age} old.")
    pairs = zip(seen[stable].tallies, seen[canary].tallies, strict=True)
    slices = [Slice(old, new) for old, new in pairs if new.is_seen and (old.is_seen or not both)]
    if len(slices) < FEWEST:
        raise LackError("Prometheus has too few numbers of both pools over the same minutes.")
    names = {each.labels.get("__name__", "") for each in series if each.labels.get("pod") in canary.pods}
    return Window(slices=tuple(slices), step=span.step, members=canary, names=frozenset(names))
