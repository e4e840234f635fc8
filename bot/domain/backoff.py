"""How long to wait after a failure: the same for routes, cards, requests, watches and connections.

redis-py, urllib3 and tenacity compute the same, but each for a loop of its own that sleeps and tries again. Our next
try is a time that is stored, or kept beside others that fail too, so a value says how long and nothing here sleeps.
"""

import random
from dataclasses import dataclass
from datetime import timedelta

_MOST_DOUBLED = 30


@dataclass(frozen=True, slots=True)
class Backoff:
    """Each failure in a row doubles the wait, from ``first`` to ``longest``; up to half is taken off at random."""

    first: timedelta
    longest: timedelta

    def wait(self, failures: int, *, asked: timedelta = timedelta(0)) -> timedelta:
        """Return how long to wait after this many failures in a row, from 1.

        ``asked`` is how long the other side asked us to wait. It gets that and a bit more, up to ``longest``.
        """
        ours = min(self.longest, self.first * 2.0 ** min(failures - 1, _MOST_DOUBLED)) * random.uniform(0.5, 1)
        return max(ours, min(self.longest, asked * random.uniform(1, 1.25)))
