"""Whether another install shares our Slack app: then Slack gives it a part of the commands and clicks.

Slack's ``hello`` on a new connection counts all connections of the app. More than our own replicas have means that
somebody else holds one. It is said only if it lasts: while connections are renewed, Slack counts one too many for a
moment. The count of an old connection is old too, so now and then we look again, on a connection made for that.
"""

import logging
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from queue import Empty, SimpleQueue
from threading import Event
from typing import Final, Protocol

from bot.domain.errors import StoreError
from bot.domain.prose import Prose, say
from bot.engine.ports import Clock

log = logging.getLogger(__name__)

BEAT: Final = timedelta(seconds=10)
LASTS: Final = timedelta(seconds=20)
"""For this long after the first sign, another install is not spoken of; then we look again."""

LOOK_EVERY: Final = timedelta(minutes=5)
TURN: Final = 1.0
"""Seconds between two turns of the thread."""

SHARED: Final = say(
    "Another install of the bot shares this Slack app and gets a part of what people type and press. If it is the one "
    "that you mean, try again."
)


Look = Callable[[], int | None]
"""Opens one more connection, closes it, and returns Slack's count on it; None if there was no answer."""


class Connections(Protocol):
    """The connections to Slack of all our replicas. Each method raises StoreError."""

    def is_open(self, connection: str) -> None:
        """Say that one is open now."""

    def may_be_open(self, connection: str) -> None:
        """Say that Slack may count one: it is being opened, or it broke off."""

    def has_ended(self, connection: str) -> None:
        """Say that Slack has taken leave of one."""

    def count(self) -> tuple[int, int]:
        """Return how many are surely open, and how many Slack may count."""


def others(said: int, surely: int, perhaps: int) -> int | None:
    """Return how many of the connections that Slack has counted are not ours; None if that is not clear."""
    if said > perhaps:
        return said - perhaps
    return 0 if said <= surely else None


class Census:
    """Keeps our own connection on the list, and compares the list with what Slack counts.

    Other threads only leave word; everything is done in turns, by one thread that nobody waits for.
    """

    def __init__(self, connections: Connections, clock: Clock) -> None:
        self._connections, self._clock = connections, clock
        self._words: SimpleQueue[Callable[[], object]] = SimpleQueue()
        self._own = ""
        self._beat_at = self._counted_at = clock.now()
        self._look_at: datetime | None = None  # None: Slack has not counted yet
        self._since: datetime | None = None  # when others were first counted
        self._is_asked = False
        self.others = 0

    # --- words from other threads

    def opens(self) -> None:
        """Our connection is open; the one before it has ended."""
        self._words.put(self._begin)

    def hears(self, said: int) -> None:
        """Slack has counted the connections of the app."""
        self._words.put(lambda: self._compare(said))

    def in_vain(self) -> Prose:
        """Look soon, as somebody has asked for what we do not know; return one more sentence for that person."""
        self._is_asked = True
        return SHARED if self.others else Prose()

    # --- what it found

    def warnings(self) -> Sequence[str]:
        """Say that others share the app; nothing if nobody does."""
        if not self.others:
            return ()
        more = "1 more connection" if self.others == 1 else f"{self.others} more connections"
        return (
            f"Slack counts {more} of this app than this install has: another install shares the app, and gets a part "
            "of the commands and clicks. Give each install a Slack app of its own.",
        )

    # --- the thread

    def run(self, is_connected: Callable[[], bool], look: Look, ending: Event) -> None:
        """Take turns until the process ends."""
        while not ending.wait(TURN):
            try:
                self.turn(is_connected, look)
            except Exception:
                log.exception("the count of connections broke")

    def turn(self, is_connected: Callable[[], bool], look: Look) -> None:
        """Do what is due."""
        self._listen()
        if not (self._own and is_connected()):
            return
        now = self._clock.now()
        with suppress(StoreError):  # without Redis nothing is compared
            if now - self._beat_at >= BEAT:
                self._beat_at = now
                self._connections.is_open(self._own)
            if self._is_due(now):
                self._look(look)

    def _is_due(self, now: datetime) -> bool:
        """Say whether to look now: it is time, or somebody has asked in vain and the last count is a bit old."""
        if self._look_at is None:
            return False
        return now >= self._look_at or (self._is_asked and now - self._counted_at >= LASTS)

    def _listen(self) -> None:
        with suppress(Empty):
            while True:
                word = self._words.get_nowait()
                with suppress(StoreError):
                    word()

    def _begin(self) -> None:
        before, self._own = self._own, uuid.uuid4().hex
        self._connections.is_open(self._own)
        if before:
            self._connections.may_be_open(before)

    def _look(self, look: Look) -> None:
        self._look_at, self._is_asked = self._clock.now() + LASTS, False
        another = uuid.uuid4().hex
        self._connections.is_open(self._own)  # Redis may have been away
        self._connections.may_be_open(another)
        if (said := look()) is not None:
            self._connections.is_open(another)
            self._compare(said)
        self._connections.has_ended(another)

    def _compare(self, said: int) -> None:
        now = self._counted_at = self._clock.now()
        self._look_at = now + LASTS  # unless this count is clear
        found = others(said, *self._connections.count())
        if found == 0:
            self._since, self._look_at = None, now + LOOK_EVERY
            self._find(0)
        elif found:
            self._since = self._since or now
            if now - self._since >= LASTS:
                self._look_at = now + LOOK_EVERY
                self._find(found)

    def _find(self, found: int) -> None:
        had, self.others = self.others, found
        if found and not had:
            log.warning("%s", *self.warnings())
        elif had and not found:
            log.info("No other install shares the Slack app any more.")
