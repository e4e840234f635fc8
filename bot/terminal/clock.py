"""The time for a command in a terminal: Redis's, because a laptop's clock may be minutes from that of the bots."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from bot.store.clock import RedisClock

OLD: Final = timedelta(seconds=30)
"""An answer of Redis older than this is asked for again: the laptop may have slept."""


@dataclass
class TerminalClock:
    """Asks Redis when the time is first wanted, and again when the answer is old."""

    redis: RedisClock
    _asked_at: datetime | None = field(default=None, init=False)

    def now(self) -> datetime:
        """Return the time. Raises StoreError if Redis does not tell it."""
        own = self.redis.own.now()
        if self._asked_at is None or abs(own - self._asked_at) > OLD:
            self.redis.ask()
            self._asked_at = own
        return self.redis.now()

    def sleep(self, seconds: float) -> None:
        """Let a moment pass."""
        self.redis.sleep(seconds)
