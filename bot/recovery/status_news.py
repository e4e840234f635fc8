"""Routes whose status has changed: each is listened to at most once a second, however often a controller writes."""

import logging
from collections.abc import Callable
from datetime import timedelta
from threading import Lock
from typing import Final

from bot.domain.errors import DependencyError, UnreadableError
from bot.engine.store_port import Store

log = logging.getLogger(__name__)

EVERY: Final = timedelta(seconds=1)


class StatusNews:
    """Collects what the watches tell; ``sweep`` lets the rollouts of those routes listen to their gateways."""

    def __init__(self, store: Store, hear: Callable[[str], None]) -> None:
        self._store, self._hear = store, hear
        self._changed: set[str] = set()
        self._lock = Lock()

    def status_changed(self, route_uid: str) -> None:
        """Remember a route."""
        with self._lock:
            self._changed.add(route_uid)

    def sweep(self, *, goes_on: Callable[[], bool] = lambda: True) -> None:
        """Listen to each route that was told of since the last time. What fails is left to the next time."""
        with self._lock:
            changed, self._changed = self._changed, set()
        while changed and goes_on():
            uid = changed.pop()
            try:
                self._listen(uid)
            except UnreadableError as error:  # it stays so: no other route waits for it
                log.info("what the gateway says of a route is not read: %s", error)
            except DependencyError as error:
                log.info("what the gateway says of a route is read again: %s", error)
                changed.add(uid)
                break
            except Exception:
                log.exception("what the gateway says of a route could not be handled")
        with self._lock:
            self._changed |= changed

    def _listen(self, route_uid: str) -> None:
        if rollout_id := self._store.slot(route_uid) or self._store.latest(route_uid):
            self._hear(rollout_id)
