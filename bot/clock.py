"""The real clock."""

import time
from datetime import UTC, datetime


class SystemClock:
    """Aware time in UTC."""

    def now(self) -> datetime:
        """Return the time."""
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        """Let a moment pass."""
        time.sleep(seconds)
