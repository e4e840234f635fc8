"""Which connections to Slack the replicas of our install have, as each of them says.

connections     sorted set      by id, when it was last known to be open (seconds since 1970)

One that broke off stays for a while, because Slack may go on counting it.
"""

from datetime import timedelta
from typing import Final

import redis

from bot.engine.ports import Clock
from bot.store.connection import store_errors
from bot.store.keys import Prefix
from bot.store.times import epoch

FRESH: Final = timedelta(seconds=30)
"""For this long after its replica said so, a connection is surely open."""

COUNTED: Final = timedelta(minutes=3)
"""Slack does not count a connection that was not known to be open for this long."""

KEPT: Final = timedelta(hours=1)


class RedisConnections:
    """The list, for all replicas of an install."""

    def __init__(self, client: "redis.Redis", prefix: Prefix, clock: Clock) -> None:
        self._redis, self._prefix, self._clock = client, prefix, clock

    def is_open(self, connection: str) -> None:
        """Say that a connection is open now. Raises StoreError."""
        self._put(connection, timedelta(0))

    def may_be_open(self, connection: str) -> None:
        """Say that Slack may count a connection: it is being opened, or it broke off. Raises StoreError."""
        self._put(connection, FRESH)

    def has_ended(self, connection: str) -> None:
        """Say that Slack has taken leave of a connection. Raises StoreError."""
        with store_errors():
            self._redis.zrem(self._key(), connection)

    def count(self) -> tuple[int, int]:
        """Return how many connections are surely open, and how many Slack may count. Raises StoreError."""
        now, key = self._clock.now(), self._key()
        with store_errors(), self._redis.pipeline(transaction=False) as pipe:
            pipe.zcount(key, f"({epoch(now - FRESH)}", "+inf")
            pipe.zcount(key, f"({epoch(now - COUNTED)}", "+inf")
            surely, perhaps = pipe.execute()
        return int(surely), int(perhaps)

    def _put(self, connection: str, ago: timedelta) -> None:
        now, key = self._clock.now(), self._key()
        with store_errors(), self._redis.pipeline(transaction=False) as pipe:
            pipe.zadd(key, {connection: epoch(now - ago)})
            pipe.zremrangebyscore(key, "-inf", epoch(now - COUNTED))
            pipe.expire(key, KEPT)
            pipe.execute()

    def _key(self) -> str:
        return f"{self._prefix()}connections"
