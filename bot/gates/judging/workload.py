"""How many times the work of an old request a new one is: longer prompts, colder caches, longer answers."""

from bot.gates.judging.quantiles import quantile
from bot.gates.numbers.names import Count, Time
from bot.gates.numbers.tally import EVER, Total


def times_the_work(time: Time, old: Total, new: Total) -> float:
    """Say by how many times a time may be longer for that; 1 where nobody knows, or if a new request is less work."""
    match time:
        case Time.FIRST_TOKEN:
            return _prompts(old, new)
        case Time.WHOLE:
            reading = _part_of_reading(old)
            return reading * _prompts(old, new) + (1 - reading) * _ratio(
                *(_each(Count.TOKENS, of) for of in (old, new))
            )
        case _:
            return 1.0


def _prompts(old: Total, new: Total) -> float:
    knows_cache = all(pool.counts.get(Count.LOOKED_UP) for pool in (old, new))
    return _ratio(_to_read(old, knows_cache), _to_read(new, knows_cache))


def _part_of_reading(pool: Total) -> float:
    """Return which part of a whole answer goes by before its first token."""
    first, whole = (pool.times.get(time, {}) for time in (Time.FIRST_TOKEN, Time.WHOLE))
    if not (first.get(EVER) and whole.get(EVER)):
        return 1.0
    return min(1.0, quantile(first, 0.5) / (quantile(whole, 0.5) or 1.0))


def _to_read(pool: Total, knows_cache: bool) -> float:
    """Return how many tokens of a prompt a server had to work out, on average: what its cache has costs nothing.

    ``knows_cache``: both pools show how much of a prompt was there.
    """
    if knows_cache:
        return _each(Count.LOOKED_UP, pool) - _each(Count.CACHED, pool)
    return _each(Count.PROMPT_TOKENS, pool)


def _each(tokens: Count, pool: Total) -> float:
    return pool.counts.get(tokens, 0.0) / pool.began() if pool.began() else 0.0


def _ratio(old: float, new: float) -> float:
    return max(1.0, new / old) if old > 0 else 1.0
