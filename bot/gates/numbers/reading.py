"""From the series of two pools to what each did between two times: pure functions."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median

from bot.engine.metrics_port import Series, Span
from bot.engine.route_port import PoolMembers
from bot.gates.numbers.names import PICKERS, Count, Meaning, Time
from bot.gates.numbers.programs import Program, Programs, Server, programs_of
from bot.gates.numbers.tally import Buckets, Streams, Tally, added

_THE_SERVERS = "ModelServerError"
"""The error code with which a picker may count what the model server has failed, and counts itself."""


@dataclass(frozen=True, slots=True)
class PoolNumbers:
    """A pool's tallies, and when its newest numbers are from (seconds since 1970; 0: there are none)."""

    tallies: tuple[Tally, ...]
    newest: float


def read(series: Sequence[Series], pool: PoolMembers, span: Span) -> PoolNumbers:
    """Read what a pool did between the times of a span. Series of other pods and pickers are passed over."""
    return tallied(programs_of(series, pool), span)


def tallied(programs: Programs, span: Span, steady_since: float = 0.0) -> PoolNumbers:
    """Return what the programs of a pool did between the times of a span.

    ``steady_since``: since then no pod has left the pool (seconds since 1970).
    """
    servers, picker = programs.servers, programs.picker
    chosen = picker.of(PICKERS)
    of = sum(server.is_known or server.name in programs.ready for server in servers)  # others never got a request
    tallies = [
        replace(
            _tally(servers, picker, chosen, start, end),
            is_steady=start >= steady_since,
            of=of,
            unseen=programs.ready - {server.name for server in servers if server.saw(start, end)},
        )
        for start, end in pairwise(times_of(span))
    ]
    scrapes = [time for each in servers for times in each.scraped for time in times.values()]
    return PoolNumbers(tuple(tallies), max(scrapes, default=0.0))


def times_of(span: Span) -> list[float]:
    """Return the times of a span."""
    return [span.start + number * span.step for number in range(int((span.end - span.start) / span.step) + 1)]


def scraped_every(*pools: Programs) -> float:
    """Return about how many seconds lie between two scrapes of the program that is scraped least often."""
    targets = [times for pool in pools for server in pool.servers for times in server.scraped]
    targets += [times for pool in pools for times in pool.picker.scraped.values()]
    return max((_every(times) for times in targets if times), default=0.0)


def _every(scraped: Mapping[float, float]) -> float:
    """Return about how often a target is scraped. ``scraped``: by a time, when the last scrape before it was.

    Where times lie further apart than scrapes, a scrape is half as old on average as the next one takes.
    """
    scrapes, age = sorted(set(scraped.values())), 2 * median(at - scrape for at, scrape in scraped.items())
    if len(scrapes) < 2:
        return max(age, max(scraped) - min(scraped))
    apart = (scrapes[-1] - scrapes[0]) / (len(scrapes) - 1)
    return apart if len(scrapes) < len(scraped) else min(age, apart)


def _tally(
    servers: Sequence[Server], picker: Program, picked: Mapping[Meaning, list[Series]], start: float, end: float
) -> Tally:
    seen = [server for server in servers if server.saw(start, end)]
    if not any(server.was_scraped(start, end) for server in seen):
        seen = []  # Prometheus goes on to show for five minutes what it has scraped last
    counts: dict[Count, float] = defaultdict(float)
    times: dict[Time, list[Buckets]] = defaultdict(list)
    streams: dict[str, Streams] = {}
    for server in seen:
        for count, found in server.counters.items():
            counts[count] += server.growth(found, start, end)
        took = server.times(start, end)
        for time, buckets in took.items():
            times[time].append(buckets)
        if known := server.streams(took, start, end):
            streams[server.name] = known
    if picker.saw(start, end):
        counts[Count.PICKED] += picker.growth(picked.get(Count.PICKED, ()), start, end)
        refused = [each for each in picked.get(Count.UNPICKED, ()) if each.labels.get("error_code") != _THE_SERVERS]
        counts[Count.UNPICKED] += picker.growth(refused, start, end)
    levels = {level for server in seen for level in server.levels}
    scraped = [*picker.scraped.values(), *(times for server in seen for times in server.scraped)]
    return Tally(
        start=start,
        end=end,
        known_since=min((times[start] for times in scraped if start in times and end in times), default=math.inf),
        pods=len(seen),
        engines=sum(server.engines(end) for server in seen),
        counts=dict(counts),
        times={time: added(parts) for time, parts in times.items()},
        before={level: sum(server.level(level, start) for server in seen) for level in levels},
        after={level: sum(server.level(level, end) for server in seen) for level in levels},
        servers=streams,
    )
