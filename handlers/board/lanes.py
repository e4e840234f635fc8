"""The leader's threads that keep Slack up to date: a lane for each channel that is behind."""

import logging
import time
from collections.abc import Callable, Mapping
from functools import partial
from threading import Event, Thread

from bot.domain.errors import StoreError
from bot.engine.lane import Lane
from bot.engine.ports import Clock
from handlers.board.bell import Bell
from handlers.board.board import Board

log = logging.getLogger(__name__)

LANES = 8
"""How many channels are written to at once, so that one whose calls hang does not delay the others."""

IDLE = 1.0
"""Seconds between two looks, because other replicas mark cards without waking this one."""

SHORTEST = 0.05

RESTS = 8
"""How many times as long as a look took the board rests before the next one."""


class BoardThread:
    """Loops over the board until it is stopped; the bell makes it look at once. A channel has one lane at a time.

    While ``leads`` says no, no card is begun.
    """

    def __init__(self, board: Board, clock: Clock, bell: Bell, leads: Callable[[], bool] = lambda: True) -> None:
        self._board, self._clock, self._bell, self._leads = board, clock, bell, leads
        self._stopped = Event()
        self._thread = Thread(target=self._loop, name="board", daemon=True)
        self._lanes = Lane("board", LANES)
        self._rests: dict[str, tuple[float, int]] = {}

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the cards that are being written, and stop."""
        self._stopped.set()
        self._bell.nudge()
        if self._thread.is_alive():
            self._thread.join()
        self._lanes.stop_line()
        self._lanes.close()

    def _loop(self) -> None:
        while not self._stopped.is_set():
            self._bell.forget()
            self._bell.wait(self._round())

    def _round(self) -> float:
        """Give a lane to every channel that is behind and neither at work nor at rest; return how long to rest.

        However often the bell rings, looking at a long list takes a small part of a core.
        """
        begun, rings = time.thread_time(), self._bell.rings  # before the list is read: a card may be marked meanwhile
        try:
            behind = self._board.behind() if self._leads() else {}
        except StoreError as error:
            log.warning("The board waits for the store: %s", error)
            return IDLE
        except Exception:
            log.exception("A round of the board broke.")
            return IDLE
        waits = [self._give_lane(channel, marks, rings) for channel, marks in behind.items()]
        self._stopped.wait((time.thread_time() - begun) * RESTS)
        return min([IDLE, *waits])

    def _give_lane(self, channel: str, marks: Mapping[str, str], rings: int) -> float:
        """Return for how long the channel can be left alone."""
        until, heard = self._rests.get(channel, (0.0, 0))
        rest = until - time.monotonic()
        if rest > 0 and heard == rings:
            return rest
        self._lanes.take(partial(self._lane, channel, marks, rings), key=channel, then=self._bell.nudge)
        return IDLE

    def _lane(self, channel: str, marks: Mapping[str, str], rings: int) -> None:
        rest = IDLE
        try:
            rest = self._bring(channel, marks, rings)
        except StoreError as error:
            log.warning("The board waits for the store: %s", error)
        except Exception:
            log.exception("The board broke at channel %s.", channel)
        self._rests[channel] = (time.monotonic() + rest, rings)

    def _bring(self, channel: str, marks: Mapping[str, str], rings: int) -> float:
        """Bring the cards of a channel up to date, and return for how long there is nothing to do.

        If the bell rang meanwhile, the next card is left for the next look: others may be more urgent now.
        """
        rests, has_brought = [IDLE], False
        for topic_id, mark in marks.items():
            now = self._clock.now()
            again = self._board.waits_until(topic_id, mark, channel, now)
            if again is None:
                if self._stopped.is_set() or not self._leads() or (has_brought and self._bell.rings != rings):
                    break
                again = self._board.bring(topic_id, mark, channel, now)
                has_brought |= again is None
            if again is not None:
                rests.append((again - now).total_seconds())
        return max(min(rests), SHORTEST)
