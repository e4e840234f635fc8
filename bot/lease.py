"""Who leads: a lease in Redis, renewed in a thread of its own. Two leaders at once are harmless, only wasteful."""

import logging
import threading
import uuid
from collections.abc import Callable
from typing import Final

import redis

from bot import lua
from bot.redis_connection import store_errors
from bot.store import PREFIX

log = logging.getLogger(__name__)

HELD_FOR: Final = 10.0  # seconds
RENEWED_EVERY: Final = 3.0


class Lease:
    """Calls ``gained`` when this process becomes the leader and ``lost`` when it is no more."""

    def __init__(
        self, client: "redis.Redis", *, gained: Callable[[], None], lost: Callable[[], None], prefix: str = PREFIX
    ) -> None:
        self._key = f"{prefix}lease"
        self._redis = client
        self._name = uuid.uuid4().hex
        self._hold = client.register_script(lua.HOLD_LEASE)
        self._release = client.register_script(lua.RELEASE_LEASE)
        self._gained, self._lost = gained, lost
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="lease", daemon=True)
        self.held = False

    def start(self) -> None:
        """Begin to ask for the lease."""
        self._thread.start()

    def stop(self) -> None:
        """Give the lease back, so that another replica leads at once."""
        self._stopping.set()
        self._thread.join()
        self._set(False)
        try:
            with store_errors():
                self._release(keys=[self._key], args=[self._name])
        except Exception as error:
            log.warning("lease not given back, it ends by itself: %s", error)

    def _keep(self) -> None:
        while not self._stopping.is_set():
            self._set(self._ask())
            self._stopping.wait(RENEWED_EVERY if self.held else 1.0)

    def _ask(self) -> bool:
        try:
            with store_errors():
                return bool(self._hold(keys=[self._key], args=[self._name, int(HELD_FOR * 1000)]))
        except Exception as error:
            log.warning("lease not renewed: %s", error)
            return False

    def _set(self, held: bool) -> None:
        if held == self.held:
            return
        self.held = held
        log.info("leader" if held else "no longer leader")
        try:
            (self._gained if held else self._lost)()
        except Exception:
            # A leader that cannot lead stands down, and asks again later.
            log.exception("could not %s", "take the lead" if held else "stand down")
            self.held = False
