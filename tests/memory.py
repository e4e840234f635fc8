"""The bot's memory in a test's own database."""

from datetime import datetime
from typing import Any, cast

import redis

from bot.store.connection import connect
from bot.store.keys import prefix_of
from bot.store.store import Memory, RedisStore, open_memory
from bot.store.times import time_of
from sandbox.valkey import INSTALL

PREFIX = prefix_of(INSTALL)


def prefix() -> str:
    """Return how the keys of the tests' install begin."""
    return PREFIX


def a_memory(where: "redis.Redis | str") -> Memory:
    """Return the memory behind a client, or at an address."""
    return open_memory(connect(where) if isinstance(where, str) else where, prefix)


def due_times(client: "redis.Redis") -> dict[str, datetime]:
    """Return when the timer looks at each rollout."""
    rows = cast(Any, client.zrange(f"{PREFIX}due", 0, -1, withscores=True))
    return {str(rollout_id): time_of(score) for rollout_id, score in rows}


def a_store(where: "redis.Redis | str") -> RedisStore:
    """Return the store behind a client, or at an address."""
    return a_memory(where).store
