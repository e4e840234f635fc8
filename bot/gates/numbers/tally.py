"""What one pool did in a stretch of time, and what several stretches add up to: pure functions."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import floor, sqrt
from typing import Final

from bot.gates.numbers.names import Count, Level, Time

NOT_BEGUN: Final = 0.25
"""Of many requests that run, at most such a part has no first token yet."""
EVER: Final = math.inf
"""The upper bound of a histogram's last bucket: it counts everything."""

_HTTP: Final = frozenset({Count.GOOD, Count.TURNED_AWAY, Count.BROKEN})

Buckets = Mapping[float, float]
"""By an upper bound in seconds: how many took at most that long."""


@dataclass(frozen=True, slots=True)
class Streams:
    """Answers of one server in a stretch: how many more began than ended, and how many ran at both ends.

    ``answers``: how many it counted over HTTP with 2xx that should have tokens, cut ones too; None if it counts none.
    One of them may hold several streams, one for each of its prompts. ``began`` had a first token. ``waiting``: how
    many had not run yet at both ends.
    """

    unended: float
    before: float
    after: float
    answers: float | None = None
    began: float = 0.0
    waiting: tuple[float, float] = (0.0, 0.0)

    @property
    def cut(self) -> float:
        """Return about how many requests were cut; below zero if others had come to run meanwhile."""
        lost = self.unended - (self.after - self.before)
        return lost if self.answers is None else min(lost, self.answers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """A pool from ``start`` to ``end`` (seconds since 1970), over its pods that were scraped at both times.

    A count that nobody shows is not there, which is not the same as zero. ``before`` and ``after`` are the levels at
    both ends, added up over the pods; ``servers`` has the streams of each pod that shows them. ``engines`` is how many
    queues the pods have, and ``of`` how many pods the pool has, scraped or not; ``unseen`` are its ready pods that were
    not. ``is_steady``: no pod has left since. ``known_since``: at ``start`` a program's last scrape was that old, so
    what came after it is in the counts too.
    """

    start: float
    end: float
    known_since: float = math.inf
    unseen: frozenset[str] = frozenset()
    pods: int = 0
    engines: int = 0
    of: int = 0
    is_steady: bool = True
    counts: Mapping[Count, float] = field(default_factory=dict)
    times: Mapping[Time, Buckets] = field(default_factory=dict)
    before: Mapping[Level, float] = field(default_factory=dict)
    after: Mapping[Level, float] = field(default_factory=dict)
    servers: Mapping[str, Streams] = field(default_factory=dict)

    @property
    def is_seen(self) -> bool:
        """Say whether anything is known: a pool without pods has a picker, which refuses what comes."""
        return bool(self.pods or self.counts.get(Count.UNPICKED))

    @property
    def is_whole(self) -> bool:
        """Say whether all is known that was answered: what a picker counts may then be compared with it."""
        return self.is_steady and self.pods == self.of


@dataclass(frozen=True)
class Total:
    """What a pool did in some stretches. ``cut``: how many streams were surely cut.

    Nobody counts those. They are the answers that began and did not end, less those that have come to run meanwhile.
    Some of what ran at the start had not begun to answer, so a part of it is taken off besides.

    Each sum is worked out when it is asked for: gates add up many parts of a window, and look at one or two sums.
    """

    tallies: tuple[Tally, ...]
    """In the order of time; some may be missing between them."""

    @cached_property
    def counts(self) -> Mapping[Count, float]:
        """Return everything that was counted."""
        counts: dict[Count, float] = {}
        for tally in self.tallies:
            for what, number in tally.counts.items():
                counts[what] = counts.get(what, 0.0) + number
        return counts

    @cached_property
    def times(self) -> Mapping[Time, Buckets]:
        """Return how long things took."""
        return {time: added(parts) for time in Time if (parts := self._parts(time))}

    @cached_property
    def cut(self) -> int:
        """Return how many streams were surely cut."""
        return _cut(self.tallies)

    @cached_property
    def tokenless(self) -> int:
        """Return how many answers with 2xx surely had no token: they hung, or failed, after their status was sent."""
        return _tokenless(self.tallies)

    @property
    def counts_cuts(self) -> bool:
        """Say whether anybody shows what streams do."""
        return any(tally.servers for tally in self.tallies)

    @property
    def open(self) -> int:
        """Return how many requests run or wait at the end."""
        return round(_open(self.tallies[-1].after)) if self.tallies else 0

    def count(self, what: Count) -> int:
        """Return how many there were; 0 if nobody shows it."""
        return round(self.counts.get(what, 0))

    def began(self) -> int:
        """Return how many answers have begun."""
        return self._all(Time.FIRST_TOKEN)

    def ended(self) -> int:
        """Return how many answers have come to their end."""
        return self._all(Time.WHOLE)

    @property
    def arrived(self) -> int:
        """Return how many requests were sent here: those that the picker was asked for, else those with an answer."""
        if Count.PICKED in self.counts:
            return self.count(Count.PICKED) + self.count(Count.UNPICKED)
        return self.served

    @property
    def served(self) -> int:
        """Return how many requests had an answer that began, or a refusal."""
        return max(self.began(), self.answered) + self.count(Count.UNPICKED)

    @property
    def counts_status(self) -> bool:
        """Say whether the model servers count their answers by status."""
        return bool(_HTTP & self.counts.keys())

    @property
    def counts_refusals(self) -> bool:
        """Say whether the picker is known, which counts what it sends to the servers and what it refuses."""
        return bool({Count.PICKED, Count.UNPICKED} & self.counts.keys())

    @property
    def good(self) -> int:
        """Return how many requests had a good answer that has ended; that has begun where nobody shows the end."""
        ended = self.ended() or self.began()
        return min(self.count(Count.GOOD), ended) if self.counts_status else ended

    def unanswered(self, picked: int) -> int:
        """Return how many of the requests that a picker has sent to model servers they surely never answered.

        Only if most requests have no answer, that is no reason. It is true only where all servers are known.
        """
        begun = max(self.began() + self.count(Count.TURNED_AWAY) + self.count(Count.BROKEN), self.answered)
        lost = picked - begun - self.open
        return lost if lost > picked / 2 else 0

    @property
    def answered(self) -> int:
        """Return how many requests the model servers have answered, well or badly."""
        return sum(self.count(each) for each in _HTTP) if self.counts_status else self.began()

    def _parts(self, time: Time) -> Sequence[Buckets]:
        return [tally.times[time] for tally in self.tallies if time in tally.times]

    def _all(self, time: Time) -> int:
        parts = self._parts(time)
        return round(sum(part[EVER] for part in parts)) if all(EVER in part for part in parts) else 0


def total(tallies: Sequence[Tally]) -> Total:
    """Add up stretches in the order of time; some may be missing between them."""
    return Total(tuple(tallies))


def added(parts: Sequence[Buckets]) -> Buckets:
    """Add histograms up, at the bounds that all of them have."""
    bounds = set.intersection(*(set(part) for part in parts)) if parts else set()
    return {bound: sum(part[bound] for part in parts) for bound in sorted(bounds)}


def _cut(tallies: Sequence[Tally]) -> int:
    return sum(_cut_of(name, tallies) for name in {name for tally in tallies for name in tally.servers})


def _cut_of(server: str, tallies: Sequence[Tally]) -> int:
    """Count the streams that a server has surely cut, over each run of stretches without a gap."""
    cut = 0
    for run in _runs([tally for tally in tallies if server in tally.servers]):
        streams = [tally.servers[server] for tally in run]
        cut += max(0, floor(sum(each.cut for each in streams) - _not_begun(streams[0].before)))
    return cut


def _tokenless(tallies: Sequence[Tally]) -> int:
    """Count the answers without a token. Where some servers have tokens, others may be there to read prompts only."""
    servers = {name for tally in tallies for name in tally.servers}
    telling = {name for tally in tallies for name, streams in tally.servers.items() if streams.began}
    return sum(_tokenless_of(name, tallies) for name in telling or servers)


def _tokenless_of(server: str, tallies: Sequence[Tally]) -> int:
    """Count a server's answers without a token, over each run of stretches without a gap.

    Some servers count an answer when it begins, others when it ends. So what was open at one end of a run may have had
    its first token outside of it.
    """
    lost = 0
    for run in _runs([tally for tally in tallies if server in tally.servers]):
        streams = [tally.servers[server] for tally in run]
        first, last = streams[0], streams[-1]
        is_open = max(first.before + first.waiting[0], last.after + last.waiting[1])
        lost += max(0, floor(sum((each.answers or 0.0) - each.began for each in streams) - is_open))
    return lost


def _open(levels: Mapping[Level, float]) -> float:
    return levels.get(Level.RUNNING, 0.0) + levels.get(Level.WAITING, 0.0)


def _not_begun(running: float) -> float:
    """Return how many of the requests that run at the start may have begun to answer only later: of a few, all."""
    return min(running, NOT_BEGUN * running + 2 * sqrt(running))


def _runs(tallies: Sequence[Tally]) -> list[list[Tally]]:
    runs: list[list[Tally]] = []
    for tally in tallies:
        if runs and runs[-1][-1].end == tally.start:
            runs[-1].append(tally)
        else:
            runs.append([tally])
    return runs
