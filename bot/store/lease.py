"""The lease in Redis that one process at a time holds. Two holders at once are harmless, only wasteful.

Its thread asks and renews and does nothing else, so nothing that a leader waits for can cost it the lease.
"""

import logging
import math
import threading
import time
import uuid
from collections.abc import Callable
from typing import Final

import redis

from bot.store.connection import store_errors
from bot.store.keys import Prefix
from bot.store.scripts import script

log = logging.getLogger(__name__)

HELD_FOR: Final = 10.0  # seconds
NEVER: Final = -math.inf


class Lease:
    """Takes the lease when asked to, then renews it until it is given back or lost; then somebody has to ask again.

    ``news`` is set whenever it was taken or lost.
    """

    def __init__(
        self,
        client: "redis.Redis",
        prefix: Prefix,
        *,
        seconds: float = HELD_FOR,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._prefix = prefix
        self._name = uuid.uuid4().hex
        self._hold, self._release = script(client, "hold_lease"), script(client, "release_lease")
        self._seconds, self._clock = seconds, clock
        self._lock = threading.Lock()
        self._sought, self._stopping = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._keep, name="lease", daemon=True)
        self.news = threading.Event()
        self.held_until = NEVER

    @property
    def held(self) -> bool:
        """Say whether it is surely held: counted from before it was last asked for, by a clock that nobody sets.

        A process that was frozen for too long notices here, before anybody tells it.
        """
        return self._clock() < self.held_until

    def seek(self) -> None:
        """Ask for it from now on."""
        self._sought.set()
        if not self._thread.is_alive():
            self._thread.start()

    def give_back(self) -> None:
        """Let another process have it at once."""
        with self._lock:
            self._end_term()
            try:
                with store_errors():
                    self._release(keys=[lease_key(self._prefix())], args=[self._name])
            except Exception as error:
                log.warning("lease not given back; it runs out by itself: %s", error)

    def stop(self) -> None:
        """Give it back for good."""
        self._stopping.set()
        self.give_back()
        self._sought.set()  # wakes the thread
        if self._thread.is_alive():
            self._thread.join()

    def _keep(self) -> None:
        while not self._stopping.is_set():
            self._sought.wait()
            self._stopping.wait(self._seconds * (0.3 if self._renew() else 0.1))

    def _renew(self) -> bool:
        """Ask once; False if we should ask again soon."""
        with self._lock:
            if not self._sought.is_set() or self._stopping.is_set():
                return False
            if self.held_until > NEVER and not self.held:
                log.warning("lease lost: it ran out before it could be renewed")
                self._end_term()
                return False
            return self._ask()

    def _ask(self) -> bool:
        asked = self._clock()
        try:
            with store_errors():
                is_ours = bool(
                    self._hold(keys=[lease_key(self._prefix())], args=[self._name, int(self._seconds * 1000)])
                )
        except Exception as error:
            log.warning("lease not renewed: %s", error)
            return False
        if is_ours:
            taken, self.held_until = self.held_until == NEVER, asked + self._seconds
            if taken:
                self.news.set()
        elif self.held_until > NEVER:
            log.warning("lease lost: another process has it")
            self._end_term()
        return is_ours

    def _end_term(self) -> None:
        self.held_until = NEVER
        self._sought.clear()
        self.news.set()


def is_held(client: "redis.Redis", prefix: str) -> bool:
    """Say whether some bot holds the lease, and so takes steps and keeps deadlines."""
    with store_errors():
        return bool(client.exists(lease_key(prefix)))


def lease_key(prefix: str) -> str:
    """Return the key of an install's lease."""
    return f"{prefix}lease"
