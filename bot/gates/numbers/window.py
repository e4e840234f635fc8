"""The window that gates judge: both pools over the same minutes, or why there is none yet."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from math import ceil, floor
from typing import Final

from bot.domain.evidence import EvidenceRules
from bot.engine.metrics_port import Series, Span
from bot.engine.route_port import PoolMembers
from bot.gates.numbers.programs import programs_of
from bot.gates.numbers.reading import PoolNumbers, scraped_every, tallied
from bot.gates.numbers.tally import Tally, Total, total

SLICES: Final = 20
"""At most so many slices make a window."""
MANY_PODS: Final = 60
"""With more pods a window has fewer slices, so that an answer stays as long."""
FEWEST: Final = 4
"""So many slices make a window, at least. Each is as long as a scrape takes to come again, or longer."""
FEW_SLICES: Final = 6
NO_TRAFFIC: Final = "The new pool has no traffic yet."
FEW_SCRAPES: Final = (
    "It is too early to judge: Prometheus has to scrape every model server and picker four times, once caches are warm."
)
WINDOW_TOO_SHORT: Final = (
    "Prometheus scrapes some model server or picker fewer than four times in `evidence.window`: make that longer."
)
AFTER_A_GAP: Final = "Prometheus has just begun to scrape again: I wait until it knows what happens now."
STALE: Final = timedelta(minutes=2)
LATELY: Final = 3
"""A model server that no slice of so many has seen is not scraped: a single scrape may fail."""


class LackError(Exception):
    """There are no numbers to judge; the message is a sentence."""


@dataclass(frozen=True, slots=True)
class Slice:
    """Both pools between the same two times."""

    stable: Tally
    canary: Tally

    @property
    def known_since(self) -> float:
        """Return since when what happened may be a part of it."""
        return min(self.stable.known_since, self.canary.known_since)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Slices in the order of time, of ``step`` seconds each, without those in which a pool was not seen.

    ``scraped_every``: so many seconds lie between two scrapes of a program. No slice is much shorter, so that programs
    which are scraped at different moments can be compared.

    ``unsettled`` are the slices before those, since the weights changed: caches were cold. ``earlier`` is what the old
    pool did before it lost all its traffic: then it is compared with that. ``members`` are those of the new pool, and
    ``names`` what its model servers call what they show. ``labels`` are those of the policy. Pods that left before
    ``watched_since`` (seconds since 1970) are not known of. ``is_same_engine``: the model servers of both pools call
    what they show the same, so they count a user who stops in the same way.
    """

    slices: tuple[Slice, ...]
    step: float
    scraped_every: float = 0.0
    members: PoolMembers
    names: frozenset[str] = frozenset()
    labels: Mapping[str, str] = field(default_factory=dict)
    watched_since: float = 0.0
    is_same_engine: bool = True
    earlier: tuple[Tally, ...] = ()
    unsettled: tuple[Slice, ...] = ()

    def with_unsettled(self) -> "Window":
        """Return the window with the time in which caches were cold."""
        return replace(self, slices=(*self.unsettled, *self.slices), unsettled=())

    def canary(self, slices: Sequence[Slice] | None = None) -> Total:
        """Add up what the new pool did, in all slices or in some."""
        return total([each.canary for each in (self.slices if slices is None else slices)])

    def stable(self, slices: Sequence[Slice] | None = None) -> Total:
        """Add up what the old pool did in the same slices, or earlier."""
        return total(self.earlier or [each.stable for each in (self.slices if slices is None else slices)])

    def lasting(self, time: timedelta) -> int:
        """Return how many slices something can touch that lasts so long: it may begin in the middle of one, and be
        seen only at the next scrape.
        """
        return ceil((time.total_seconds() + self.scraped_every) / self.step) + 1

    def whole(self, slices: Sequence[Slice]) -> Sequence[Slice]:
        """Return those of some slices in which everything is known that both pools answered; none if there are few."""
        return [each for each in slices if self._is_whole(each)] if self._has_whole else []

    @property
    def _has_whole(self) -> bool:
        return sum(map(self._is_whole, self.slices)) >= FEWEST

    def _is_whole(self, each: Slice) -> bool:
        return each.canary.is_whole and (bool(self.earlier) or each.stable.is_whole)

    @property
    def unscraped(self) -> frozenset[str]:
        """Return the ready model servers of the new pool that Prometheus has not scraped lately."""
        return frozenset.intersection(*(each.canary.unseen for each in self.slices[-LATELY:]))

    @property
    def seconds(self) -> float:
        """Return for how long it has numbers."""
        return len(self.slices) * self.step


class NothingToCompareError(Exception):
    """The old pool has no traffic, and none is known from before: it had none, or its servers are new, or gone.

    ``window`` is what the new pool did.
    """

    def __init__(self, window: Window) -> None:
        super().__init__()
        self.window = window


def span_since(
    weighed_at: datetime, now: datetime, rules: EvidenceRules, pods: int = 1, *, after: datetime | None = None
) -> Span:
    """Return what to ask for about so many pods, nothing before ``after``. Raises LackError while that is too new."""
    settled = max(weighed_at + rules.settle, after or weighed_at)
    begin, end = ceil(max(settled, now - rules.window).timestamp()), floor(now.timestamp())
    seconds = end - floor(begin_of(weighed_at, now, rules, after=after))
    step = min(-(-seconds // _slices(pods)), (end - begin) // FEW_SLICES)
    span = aligned(begin, end, max(1, step))
    if span.end - span.start < FEWEST * span.step:
        raise LackError(FEW_SCRAPES)
    return span


def begin_of(weighed_at: datetime, now: datetime, rules: EvidenceRules, *, after: datetime | None = None) -> float:
    """Return from when on a window may know anything (seconds since 1970), caches cold or warm."""
    return max(weighed_at, after or weighed_at, now - rules.window).timestamp()


def begun_before(span: Span, begin: float, pods: int = 1) -> Span:
    """Return a span of the same slices, and of those before it since ``begin``, as far as there is room for them."""
    room = max(0, _slices(pods) - int((span.end - span.start) / span.step))
    more = max(0, floor((span.start - begin) / span.step))
    return replace(span, start=span.start - min(more, room) * span.step)


def _slices(pods: int) -> int:
    return max(FEW_SLICES, SLICES * MANY_PODS // max(MANY_PODS, pods))


def aligned(begin: int, end: int, step: int) -> Span:
    """Return the span of the multiples of a step between two times: some servers answer for those and no others."""
    return Span(start=-(-begin // step) * step, end=end // step * step, step=step)


def coarser(span: Span, slice_seconds: float) -> Span:
    """Return a span of some of the same times, to the same end, in slices of about so many seconds, or longer."""
    step = span.step * max(1, round(slice_seconds / span.step))
    return Span(start=span.end - (span.end - span.start) // step * step, end=span.end, step=step)


def earlier_span(weighed_at: datetime, rules: EvidenceRules, pods: int = 1) -> Span:
    """Return what to ask for about so many pods of the old pool before it lost its last traffic."""
    end, seconds = floor(weighed_at.timestamp()), floor(rules.window.total_seconds())
    return aligned(end - seconds, end, max(1, -(-seconds // _slices(pods))))


def window_of(
    series: Sequence[Series],
    stable: PoolMembers,
    canary: PoolMembers,
    asked: Span,
    *,
    both: bool = True,
    longest: float = 0.0,
    steady_since: float = 0.0,
    begin: float | None = None,
    since: float = 0.0,
) -> Window:
    """Read a window. Raises LackError if the numbers of a pool are missing, old or rare; ``both``: the old pool's too.

    ``longest``: a span of so many seconds gets no longer. ``steady_since``: since then no pod has left the pools
    (seconds since 1970). ``begin``: from then on there are series, and what was before the span is unsettled. What was
    before ``since`` is no evidence.
    """
    programs = {pool: programs_of(series, pool) for pool in (stable, canary)}
    every = scraped_every(*programs.values())
    span = coarser(asked, every)
    whole = begun_before(span, span.start if begin is None else begin)
    seen = {pool: tallied(each, whole, steady_since) for pool, each in programs.items()}
    needed = {pool: numbers for pool, numbers in seen.items() if both or pool is canary}
    for pool, numbers in needed.items():
        _require_fresh(pool, numbers.newest, span)
    if span.end - span.start < FEWEST * max(span.step, every):
        raise LackError(FEW_SCRAPES if asked.end - asked.start < longest else WINDOW_TOO_SHORT)
    for pool, numbers in needed.items():
        _require_numbers(pool, numbers, series, span)
    pairs = zip(seen[stable].tallies, seen[canary].tallies, strict=True)
    known = [Slice(old, new) for old, new in pairs if new.is_seen and (old.is_seen or not both)]
    clean = [each for each in known if each.known_since >= since]
    newest = min((each.newest for each in needed.values() if each.newest), default=span.end)
    # What comes after the newest scrape is that scrape again. What comes after a gap has much of the cold time in it.
    settled = [each for each in clean if each.canary.start < newest and each.known_since >= span.start - 2 * every]
    slices = _since(span.start, settled)
    _require_enough(slices, _since(span.start, known), min(newest, span.end) - 2 * max(span.step, every))
    names = {each.labels.get("__name__", "") for each in series if each.labels.get("pod") in canary.pods}
    return Window(
        slices=tuple(slices),
        unsettled=tuple(each for each in clean if each.canary.start < span.start),
        step=span.step,
        scraped_every=every,
        members=canary,
        names=frozenset(names),
        is_same_engine=programs[stable].shown_names == programs[canary].shown_names,
    )


def _since(start: float, slices: Sequence[Slice]) -> Sequence[Slice]:
    return [each for each in slices if each.canary.start >= start]


def _require_enough(slices: Sequence[Slice], known: Sequence[Slice], reach: float) -> None:
    """Raise LackError if too few of the ``known`` slices can be judged, or if none of them ends after ``reach``."""
    if len(slices) < FEWEST <= len(known):
        raise LackError(FEW_SCRAPES)
    if len(slices) < FEWEST:
        raise LackError(
            "Prometheus has too few numbers of both pools over the same minutes: see whether it scrapes all their pods."
        )
    if slices[-1].canary.end < reach:
        raise LackError(AFTER_A_GAP)


def _require_fresh(pool: PoolMembers, newest: float, span: Span) -> None:
    if newest and span.end - newest > STALE.total_seconds():
        age = f"{(span.end - newest) / 60:.0f} min"
        look = "see whether Prometheus still scrapes its pods"
        raise LackError(f"The newest numbers of `{pool.pool.name}` are {age} old: {look}.")


def _require_numbers(pool: PoolMembers, numbers: PoolNumbers, series: Sequence[Series], span: Span) -> None:
    if not any(tally.is_seen for tally in numbers.tallies):
        look = "`rolloutbot check-config --prometheus` says what it has"
        raise LackError(f"Prometheus has no numbers of the model servers of `{pool.pool.name}`; {look}.")
    for each in series:
        if each.labels.get("pod") in pool.pods and any(span.start <= at <= span.end for at in each.broken):
            name, look = each.labels.get("__name__"), "look at what its model servers report"
            raise LackError(f"Values of `{name}` of `{pool.pool.name}` are no numbers (NaN): {look}.")
