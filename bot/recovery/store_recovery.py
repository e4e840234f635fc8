"""Keeps the store whole: restores what it has lost from the routes before anything goes on."""

import logging
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Final

from bot.domain.errors import StoreError
from bot.engine.ports import Clock
from bot.engine.store_port import Store
from bot.recovery.audit import Audit

log = logging.getLogger(__name__)

AGAIN_AFTER: Final = timedelta(seconds=5)
"""If a look could not see everything and the store is whole, the next look comes after this time."""


class StoreRecovery:
    """Runs in the leader. ``inspector`` is one that saves into a store that is not whole."""

    def __init__(self, store: Store, clock: Clock, inspector: Audit) -> None:
        self._store = store
        self._clock = clock
        self._inspector = inspector
        self._missed = Event()
        self._in_vain = datetime.min.replace(tzinfo=UTC)

    def look_again(self) -> None:
        """Look at all routes when the store is back: something happened that could not be handled."""
        self._missed.set()

    def run(self) -> None:
        """If the store is not whole, compare every route with the records, then declare it whole.

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
        return abs(self._clock.now() - self._in_vain) >= AGAIN_AFTER  # even after somebody set a clock back

    def _make_up(self) -> None:
        """Look at all routes; what failed, or happened meanwhile, counts as missed until the next look."""
        self._missed.clear()
        is_seen = False
        try:
            is_seen = self._inspector.inspect()
        finally:
            if not is_seen:
                self._in_vain = self._clock.now()
                self.look_again()

    def _rebuild(self) -> None:
        log.info("Redis is new or empty, or older than it was: looking for rollouts on the routes")
        self._store.doubt()
        if self._inspector.inspect():
            self._store.declare_whole(self._clock.now())
