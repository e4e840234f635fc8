"""Does Redis still have everything? A flush, a restored backup or a fail-over leaves it empty, or in an older state.

A rebuild declares the memory whole under a number that only rises (the epoch). From then on each write is counted, and
each replica keeps the highest count that it has seen. If the memory has no epoch, or a lower count, it has forgotten
something. Every script that decides or claims checks this, so every replica notices at its next step.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from threading import Lock
from typing import Any, Final, cast

import redis

from bot.store.connection import store_errors
from bot.store.keys import Prefix
from bot.store.scripts import script

Expected = Callable[[], tuple[str, str]]
"""Returns the least that a script must find: an epoch, and the writes counted in it."""

ANY_EPOCH: Final = ("any", "0")
"""What a rebuild expects: it writes into a memory that is not whole yet."""


class SeenWrites:
    """The newest epoch, and the most writes in it, that this replica has seen; used by many threads."""

    def __init__(self) -> None:
        self._epoch, self._writes = 0, 0
        self._lock = Lock()

    def expected(self) -> tuple[str, str]:
        """Return the least that a script must find: the epoch, and the writes counted in it."""
        with self._lock:
            return str(self._epoch), str(self._writes)

    def saw(self, reply: Sequence[object]) -> None:
        """Take in what Redis counts now."""
        epoch, writes = (int(str(number or 0)) for number in reply)
        with self._lock:
            self._epoch, self._writes = max((self._epoch, self._writes), (epoch, writes))

    def epoch_after(self, now_ms: int) -> int:
        """Return an epoch that is newer than any that was seen."""
        with self._lock:
            return max(now_ms, self._epoch + 1)


class RedisEpoch:
    """Whether the memory is whole, and how a rebuild says so."""

    def __init__(self, client: "redis.Redis", prefix: Prefix, seen: SeenWrites) -> None:
        self._redis, self._prefix, self._seen = client, prefix, seen
        self._is_whole = script(client, "is_whole")

    def is_whole(self) -> bool:
        """Say whether Redis still has everything that this replica has seen stored."""
        with store_errors():
            return bool(self._is_whole(keys=[self._prefix()], args=[*self._seen.expected()]) == 1)

    def declare_whole(self, now: datetime) -> None:
        """Say that everything is restored."""
        count = {"epoch": self._seen.epoch_after(int(now.timestamp() * 1000)), "writes": 0}
        with store_errors():
            self._redis.hset(f"{self._prefix()}store", mapping=cast(Any, count))
