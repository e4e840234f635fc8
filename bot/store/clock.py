"""What time it is: of this machine, or of Redis, where machines whose clocks may differ decide on one rollout."""

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import redis

from bot.engine.ports import Clock
from bot.store.connection import store_errors


class SystemClock:
    """Aware time in UTC."""

    def now(self) -> datetime:
        """Return the time."""
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        """Let a moment pass."""
        time.sleep(seconds)


@dataclass
class RedisClock:
    """Redis's time: it is asked once, when the time is first wanted, and ``own`` goes on from there."""

    client: "redis.Redis"
    own: Clock = field(default_factory=SystemClock)
    _ahead: timedelta | None = field(default=None, init=False)

    def now(self) -> datetime:
        """Return the time. Raises StoreError where Redis has not told it yet."""
        if self._ahead is None:
            self._ahead = self._asked() - self.own.now()
        return self.own.now() + self._ahead

    def sleep(self, seconds: float) -> None:
        """Let a moment pass."""
        self.own.sleep(seconds)

    def _asked(self) -> datetime:
        with store_errors():
            seconds, microseconds = self.client.time()
        return datetime.fromtimestamp(seconds, UTC) + timedelta(microseconds=microseconds)
