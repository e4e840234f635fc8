"""The time: this machine's, or Redis's if machines whose clocks may differ decide about one rollout."""

import logging
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Final

import redis

from bot.domain.errors import StoreError
from bot.engine.ports import Clock
from bot.store.connection import store_errors

log = logging.getLogger(__name__)

ASK_EVERY: Final = 5.0
"""Seconds until a machine that was suspended knows Redis's time again."""

TOO_SLOW: Final = timedelta(seconds=0.5)
"""An answer that took longer than this, or during which ``own`` was set, is useless: its time is unclear."""

TRIES: Final = 3
"""The first one may have to connect, which takes longer."""

WORTH_SAYING: Final = timedelta(seconds=1)


class SystemClock:
    """Aware time in UTC."""

    def now(self) -> datetime:
        """Return the time."""
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        """Let a moment pass."""
        time.sleep(seconds)


class SteadyClock(SystemClock):
    """This machine's time when it was made, carried on by counting seconds: nobody can set it. Time for which the
    machine was suspended is missing.
    """

    def __init__(self) -> None:
        self._begun = time.time() - time.monotonic()

    def now(self) -> datetime:
        """Return the time."""
        return datetime.fromtimestamp(self._begun + time.monotonic(), UTC)


@dataclass
class RedisClock:
    """Redis's time: ``own``, and how far Redis was ahead of it when it was last asked.

    It gives the time without asking, so nobody waits for it. Before the first answer it is ``own``: a bot starts, and
    rolls back from the route, while Redis is away.
    """

    client: "redis.Redis"
    own: Clock = field(default_factory=SteadyClock)
    _ahead: timedelta = field(default=timedelta(0), init=False)

    def now(self) -> datetime:
        """Return the time."""
        return self.own.now() + self._ahead

    def sleep(self, seconds: float) -> None:
        """Let a moment pass."""
        self.own.sleep(seconds)

    def ask(self) -> None:
        """Ask Redis what time it is. Raises StoreError."""
        for _ in range(TRIES):
            before = self.own.now()
            told = self._told()
            took = self.own.now() - before
            if abs(took) <= TOO_SLOW:
                self._take(told - before - took / 2)
                return
        raise StoreError("Redis answers too slowly to tell what time it is.")

    def _told(self) -> datetime:
        with store_errors():
            seconds, microseconds = self.client.time()
        return datetime.fromtimestamp(seconds, UTC) + timedelta(microseconds=microseconds)

    def _take(self, ahead: timedelta) -> None:
        if abs(ahead - self._ahead) > WORTH_SAYING:
            log.warning("Redis's clock, by which bots decide, is %+.1f s from this machine's", ahead.total_seconds())
        self._ahead = ahead

    def ask_until(self, ending: Event, every: float = ASK_EVERY) -> None:
        """Ask every few seconds, until the process ends."""
        while not ending.is_set():
            with suppress(StoreError):  # our own clock carries the time on, and others report that Redis is away
                self.ask()
            ending.wait(every)
