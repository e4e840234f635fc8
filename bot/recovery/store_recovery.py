"""Keeps the store whole: what it has lost is taken up again from the routes before anything goes on."""

import logging
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Final

from bot.domain.errors import StoreError
from bot.engine.ports import Clock, Store
from bot.recovery.audit import Audit

log = logging.getLogger(__name__)

AGAIN_AFTER: Final = timedelta(seconds=5)
"""So long after a look that has not seen everything the next one comes, where the store is whole."""


class StoreRecovery:
    """Runs in the leader. ``inspector`` is one that saves into a store that is not whole."""

    def __init__(self, store: Store, clock: Clock, inspector: Audit) -> None:
        self._store = store
        self._clock = clock
        self._inspector = inspector
        self._missed = Event()
        self._in_vain = datetime.min.replace(tzinfo=UTC)

    def look_again(self) -> None:
        """Have all routes looked at when the store is there again: something happened that could not be looked at."""
        self._missed.set()

    def run(self) -> None:
        """Compare every route with the records where the store is not whole, and declare it whole after that.

        Where it only was away, what people did without it meanwhile (a roll back) is taken up at once.
        """
        try:
            is_whole = self._store.is_whole()
        except StoreError:
            self.look_again()
            raise
        if not is_whole:
            self._rebuild()
        elif self._missed.is_set() and self._may_look_again():
            self._make_up()

    def _may_look_again(self) -> bool:
        return abs(self._clock.now() - self._in_vain) >= AGAIN_AFTER  # also after a clock was set back

    def _make_up(self) -> None:
        """Look at all routes; what could not be looked at, or happened during the look, is still missed after it."""
        self._missed.clear()
        is_seen = False
        try:
            is_seen = self._inspector.inspect()
        finally:
            if not is_seen:
                self._in_vain = self._clock.now()
                self.look_again()

    def _rebuild(self) -> None:
        log.warning("Redis is empty, or older than it was: the rollouts are taken up from their routes")
        self._store.doubt()
        if self._inspector.inspect():
            self._store.declare_whole(self._clock.now())
