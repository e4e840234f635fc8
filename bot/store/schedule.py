"""The timetable: when the timer looks at a rollout, and when a write that is still pending is tried next.

due                     zset    rollout ids by due time
pending, pending:brakes zset    rollout ids by the time of the next try: a roll back, or else another decision
"""

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, cast

import redis

from bot.store.connection import store_errors
from bot.store.epoch import SeenWrites
from bot.store.keys import Prefix
from bot.store.scripts import script
from bot.store.times import epoch, reached, time_of

log = logging.getLogger(__name__)

CLAIM_AHEAD: Final = 10.0

MOST_NAMED: Final = 1000
"""How many unreadable records a process names."""


class RedisSchedule:
    """What is due, and what is still to be written."""

    def __init__(self, client: "redis.Redis", prefix: Prefix, seen: SeenWrites) -> None:
        self._redis, self._prefix, self._seen = client, prefix, seen
        self._claim = script(client, "claim")
        self._unreadable: set[str] = set()

    def unapplied(self, now: datetime, *, brakes: bool) -> Sequence[str]:
        """Return at most 200 ids of rollouts with a roll back, or else another decision, to write now."""
        return reached(self._redis, f"{self._prefix()}{'pending:brakes' if brakes else 'pending'}", now, 200)

    def retry_at(self, rollout_id: str, at: datetime) -> None:
        """Set the next try of a write that is still pending."""
        prefix = self._prefix()
        with store_errors(), self._redis.pipeline(transaction=False) as pipe:
            for index in ("pending", "pending:brakes"):
                pipe.zadd(prefix + index, {rollout_id: epoch(at)}, xx=True)
            pipe.execute()

    def claim_due(self, now: datetime, most: int = 1000) -> Sequence[tuple[str, datetime]]:
        """Return what is due and push it ahead, so that it comes again if its step saves no new time."""
        ahead = f"{now.timestamp() + CLAIM_AHEAD:.6f}"
        args: list[str | int] = [epoch(now), ahead, most, *self._seen.expected()]
        with store_errors():
            flat, *counted = cast(list[Any], self._claim(keys=[self._prefix()], args=args))
        if counted:
            self._seen.saw(counted)
        return [(flat[i], time_of(flat[i + 1])) for i in range(0, len(flat), 2)]

    def next_due(self) -> datetime | None:
        """Return the earliest due time."""
        with store_errors():
            first = self._redis.zrange(f"{self._prefix()}due", 0, 0, withscores=True)
        return time_of(cast(Any, first)[0][1]) if first else None

    def set_aside(self, rollout_id: str, until: datetime) -> None:
        """Put off whatever is due of a record that cannot be read, and name it once."""
        prefix = self._prefix()
        with store_errors(), self._redis.pipeline(transaction=False) as pipe:
            for index in ("due", "pending", "pending:brakes"):
                pipe.zadd(prefix + index, {rollout_id: epoch(until)}, xx=True)
            pipe.execute()
        if rollout_id not in self._unreadable and len(self._unreadable) < MOST_NAMED:
            self._unreadable.add(rollout_id)
            log.error("The record of %s cannot be read. It waits for a version that can.", rollout_id)

    def forget_due(self, rollout_id: str) -> None:
        """Remove a due time that belongs to no record."""
        with store_errors():
            self._redis.zrem(f"{self._prefix()}due", rollout_id)
