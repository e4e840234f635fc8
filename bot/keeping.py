"""Keeps the store whole: what it has lost is taken up again from the routes before anything goes on."""

import logging

from bot.inspecting import Inspector
from bot.ports import Clock, Store

log = logging.getLogger(__name__)


class Keeper:
    """Runs in the leader. ``inspector`` is one that saves into a store that is not whole."""

    def __init__(self, store: Store, clock: Clock, inspector: Inspector) -> None:
        self._store = store
        self._clock = clock
        self._inspector = inspector

    def keep(self) -> None:
        """Compare every route with the records where the store is not whole, and declare it whole after that."""
        if self._store.is_whole():
            return
        log.warning("Redis is empty, or older than it was: the rollouts are taken up from their routes")
        self._store.doubt()
        if self._inspector.inspect():
            self._store.declare_whole(self._clock.now())
