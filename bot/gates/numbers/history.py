"""What both pools did since a rollout began, as charts: the new pool's share of the requests, errors, and latency."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from math import ceil, floor
from typing import Final

from bot.domain.chart import MOST_POINTS, Chart, Line
from bot.engine.metrics_port import Series, Span
from bot.engine.route_port import PoolMembers
from bot.gates.judging.quantiles import quantile
from bot.gates.numbers.names import Count, Time
from bot.gates.numbers.programs import programs_of
from bot.gates.numbers.reading import scraped_every, tallied
from bot.gates.numbers.tally import EVER, Tally, total
from bot.gates.numbers.window import aligned, coarser

SHORTEST: Final = 15
"""Seconds between two points: Prometheus rarely scrapes more often."""
FEWEST: Final = 3
LONGEST: Final = timedelta(hours=24)


def history_span(started_at: datetime, now: datetime) -> Span | None:
    """Return what to ask for; None if the rollout is too young for a line."""
    begin, end = ceil(max(started_at, now - LONGEST).timestamp()), floor(now.timestamp())
    span = aligned(begin, end, max(SHORTEST, -(-(end - begin) // MOST_POINTS)))
    return span if span.end - span.start >= FEWEST * span.step else None


def charts_of(series: Sequence[Series], stable: PoolMembers, canary: PoolMembers, asked: Span) -> tuple[Chart, ...]:
    """Draw what both pools did, where both were seen; nothing while the new pool had no request.

    Between two points lie two scrapes of every program, or more: otherwise a pool has no requests at one point, and
    twice as many at the next.
    """
    programs = [programs_of(series, pool) for pool in (stable, canary)]
    span = coarser(asked, 2 * scraped_every(*programs))
    every = zip(*(tallied(each, span).tallies for each in programs), strict=True)
    pairs = [(old, new) for old, new in every if old.is_seen and new.is_seen]
    old, new = [each for each, _ in pairs], [each for _, each in pairs]
    if len(pairs) < FEWEST or not any(total([tally]).arrived for tally in new):
        return ()
    times = tuple(_label(tally.end, span.step) for tally in new)
    shares = (
        Line("new, requests", _joined([0.0, *(_share(*pair) for pair in pairs)])[1:]),
        Line("new, errors", _joined([0.0, *map(_errors, new)])[1:]),
        Line("old, errors", _joined([0.0, *map(_errors, old)])[1:]),
    )
    found = [
        (f"{name}, p{100 * q:g}", _first_tokens(tallies, q))
        for name, tallies in (("new", new), ("old", old))
        for q in (0.5, 0.95)
    ]
    latency = tuple(Line(name, values) for name, values in found if values)
    drawn = (("Requests at the new pool, and errors", "%", shares), ("Time to the first token", "ms", latency))
    return tuple(Chart(title=title, unit=unit, times=times, lines=lines) for title, unit, lines in drawn if lines)


def _label(time: float, step: float) -> str:
    at = datetime.fromtimestamp(time, UTC)
    return f"{at:%H:%M}" if step >= 60 else f"{at:%H:%M:%S}"


def _share(old: Tally, new: Tally) -> float | None:
    at_new, at_old = total([new]).arrived, total([old]).arrived
    return round(100 * at_new / (at_new + at_old), 1) if at_new + at_old else None


def _errors(tally: Tally) -> float | None:
    pool = total([tally])
    bad = pool.count(Count.BROKEN) + pool.count(Count.UNPICKED)
    of = pool.answered + pool.count(Count.UNPICKED)
    return round(100 * min(1.0, bad / of), 1) if of else None


def _first_tokens(tallies: Sequence[Tally], q: float) -> tuple[float, ...]:
    """Return a quantile in milliseconds for each time."""
    shown = [tally.times.get(Time.FIRST_TOKEN, {}) for tally in tallies]
    return _joined([float(round(1000 * quantile(each, q))) if each.get(EVER) else None for each in shown])


def _joined(values: Sequence[float | None]) -> tuple[float, ...]:
    """Let the line stay where it was, or will begin, while there were no requests; empty if there never were."""
    known = [each for each in values if each is not None]
    if not known:
        return ()
    last, line = known[0], []
    for value in values:
        last = last if value is None else value
        line.append(last)
    return tuple(line)
