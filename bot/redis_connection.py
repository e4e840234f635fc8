"""How Redis is reached, and its failures as ours: each in one place.

With Sentinels, every new connection asks them who is the primary now; one that a fail-over made a replica ends the
connections to it, so the next call finds the new primary.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import urlsplit

import redis
from redis.backoff import ExponentialBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel, SentinelConnectionPool

from bot.domain.errors import StoreError
from bot.redis_url import SENTINEL, Sentinels, read_sentinels

_BOUNDED: Final = {"socket_timeout": 0.4, "socket_connect_timeout": 0.3}
_SHARED: Final = {"max_connections": 64, "timeout": 0.5}
"""How many connections threads share, and how long one waits for a free one."""


def connect(url: str) -> "redis.Redis":
    """Open a client whose every call ends within about a second.

    One retry is safe because each script knows its own decision or token again.
    """
    options: dict[str, Any] = {**_BOUNDED, "retry": _retry(), "decode_responses": True}
    if urlsplit(url).scheme in SENTINEL:
        return redis.Redis.from_pool(_sentinel_pool(read_sentinels(url), options))
    return redis.Redis.from_pool(redis.BlockingConnectionPool.from_url(url, **_SHARED, **options))


def _sentinel_pool(meant: Sentinels, options: dict[str, Any]) -> SentinelConnectionPool:
    asked = {**_BOUNDED, "ssl": meant.tls, "retry": _retry()}
    sentinel = Sentinel(meant.hosts, sentinel_kwargs=asked)  # type: ignore[no-untyped-call]
    return SentinelConnectionPool(  # type: ignore[no-untyped-call]
        meant.primary,
        sentinel,
        db=meant.database,
        username=meant.username,
        password=meant.password,
        ssl=meant.tls,
        max_connections=64,
        **options,
    )


def _retry() -> Retry:
    return Retry(ExponentialBackoff(cap=0.05, base=0.01), 1)


@contextmanager
def store_errors() -> Iterator[None]:
    """Turn redis-py's errors into ours; their texts may name hosts, so they stay in the log."""
    try:
        yield
    except redis.RedisError as error:
        raise StoreError("Redis does not answer.") from error
