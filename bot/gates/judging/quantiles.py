"""Quantiles of a histogram, and how many took longer than a bound: pure functions.

Two pools may have other buckets. What lies in the bucket of a bound may be on either side of it.
"""

from bot.gates.numbers.tally import EVER, Buckets


def quantile(buckets: Buckets, q: float) -> float:
    """Return a quantile as Prometheus does: evenly within a bucket; above the last bound, that bound."""
    rank, lower, below = q * buckets[EVER], 0.0, 0.0
    for bound, count in sorted(buckets.items()):
        if count >= rank:
            if bound == EVER:
                return lower
            inside = count - below
            return lower + (bound - lower) * ((rank - below) / inside if inside else 1.0)
        lower, below = bound, count
    return lower


def bound_at(buckets: Buckets, q: float) -> float:
    """Return the smallest bound below which at least the share ``q`` lies; the last finite one if there is none."""
    finite = sorted(bound for bound in buckets if bound != EVER)
    return next((bound for bound in finite if buckets[bound] >= q * buckets[EVER]), finite[-1] if finite else EVER)


def above_at_least(buckets: Buckets, bound: float) -> tuple[float, float]:
    """Return how many surely took longer than a bound, of how many."""
    of = buckets.get(EVER, 0.0)
    return of - min((count for each, count in buckets.items() if each >= bound), default=of), of


def above_at_most(buckets: Buckets, bound: float) -> tuple[float, float]:
    """Return how many may have taken longer than a bound, of how many."""
    of = buckets.get(EVER, 0.0)
    return of - max((count for each, count in buckets.items() if each <= bound), default=0.0), of
