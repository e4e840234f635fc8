"""Times as Redis keeps them, seconds since 1970, and what has its time in an index of them."""

from datetime import UTC, datetime, timedelta
from typing import Final, cast

import redis

from bot.store.connection import store_errors

TOO_FAR: Final = timedelta(seconds=60)


def epoch(at: datetime) -> str:
    """Write a time as seconds since 1970."""
    return f"{at.timestamp():.6f}"


def time_of(seconds: str | float) -> datetime:
    """Read a time."""
    return datetime.fromtimestamp(float(seconds), UTC)


def reached(client: "redis.Redis", key: str, now: datetime, most: int) -> list[str]:
    """Return members of an index whose time has come, or is so far ahead that a clock must have been wrong."""
    with store_errors(), client.pipeline(transaction=False) as pipe:
        pipe.zrangebyscore(key, "-inf", epoch(now), start=0, num=most)
        pipe.zrangebyscore(key, epoch(now + TOO_FAR), "+inf", start=0, num=most)
        come, far = pipe.execute()
    return [*cast(list[str], come), *cast(list[str], far)]
