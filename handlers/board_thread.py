"""The leader's thread that keeps Slack up to date."""

import logging
from threading import Event, Thread

from bot.domain.errors import StoreError
from bot.ports import Clock
from handlers.board import Board

log = logging.getLogger(__name__)

IDLE = 1.0
"""Seconds between two looks: other replicas mark cards without waking this one."""

SHORTEST = 0.05


class BoardThread:
    """Loops over the board until it is stopped; ``wake`` makes it look at once."""

    def __init__(self, board: Board, clock: Clock) -> None:
        self._board, self._clock = board, clock
        self._woken, self._stopped = Event(), Event()
        self._thread = Thread(target=self._loop, name="board", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wake(self) -> None:
        """Look at the dirty cards now."""
        self._woken.set()

    def stop(self) -> None:
        """End after the round that is running."""
        self._stopped.set()
        self._woken.set()
        if self._thread.is_alive():
            self._thread.join()

    def _loop(self) -> None:
        while not self._stopped.is_set():
            self._woken.clear()
            self._woken.wait(self._round())

    def _round(self) -> float:
        """Do one round and return how long to rest."""
        try:
            now = self._clock.now()
            again = self._board.reconcile(now)
        except StoreError as error:
            log.warning("The board waits for the store: %s", error)
            return IDLE
        except Exception:
            log.exception("A round of the board broke.")
            return IDLE
        return IDLE if again is None else min(max((again - now).total_seconds(), SHORTEST), IDLE)
