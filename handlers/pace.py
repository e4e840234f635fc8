"""How fast Slack may be written to: a budget for edits, a rest for each card, and what Slack told us to wait."""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta

MINUTE = timedelta(minutes=1)
EDITS = 40
EDITS_OF_PROGRESS = 30
"""Progress leaves some of the budget to changes of state."""

REST = timedelta(seconds=3)
BACKOFF = timedelta(seconds=2)
CARD_AT_MOST, SLACK_AT_MOST = timedelta(minutes=2), timedelta(seconds=30)
MOST = 5000


class Later(Exception):  # noqa: N818 (nothing went wrong)
    """Something has to wait until ``at``."""

    def __init__(self, at: datetime) -> None:
        super().__init__(f"later: {at}")
        self.at = at


@dataclass(slots=True)
class Pace:
    """One process's memory of what it sent; losing it costs nothing but a few early edits."""

    _edits: deque[datetime] = field(default_factory=deque)
    _last: dict[str, tuple[datetime, int]] = field(default_factory=dict)
    _blocked: dict[str, datetime] = field(default_factory=dict)
    _failures: dict[str, int] = field(default_factory=dict)

    def edit_at(self, card: str, turn: int, now: datetime) -> datetime:
        """Return when a card may be edited: now, or later. A card that moved to another turn need not rest."""
        while self._edits and self._edits[0] <= now - MINUTE:
            self._edits.popleft()
        last = self._last.get(card)
        moved = last is None or last[1] != turn
        most = EDITS if moved else EDITS_OF_PROGRESS
        free = now if len(self._edits) < most else self._edits[-most] + MINUTE
        rested = now if moved or last is None else last[0] + REST
        return max(now, free, rested)

    def edited(self, card: str, turn: int, now: datetime) -> None:
        """Remember an edit, also one whose answer did not come."""
        self._edits.append(now)
        self.drawn(card, turn, now)

    def drawn(self, card: str, turn: int, now: datetime) -> None:
        """Remember that a card shows a turn now."""
        if len(self._last) >= MOST:
            self._last.clear()
        self._last[card] = (now, turn)

    def blocked_until(self, key: str, now: datetime) -> datetime:
        """Return when something that was blocked is free again; now where it is."""
        return max(now, self._blocked.get(key, now))

    def block(self, key: str, now: datetime, wait: timedelta) -> None:
        """Leave a method or a card alone for a while."""
        self._blocked[key] = max(self._blocked.get(key, now), now + wait)

    def failed(self, key: str, now: datetime, *, most: timedelta) -> None:
        """Leave it alone, longer with every failure in a row."""
        count = self._failures.get(key, 0)
        self._failures[key] = count + 1
        self.block(key, now, min(BACKOFF * 2 ** min(count, 10), most))

    def worked(self, key: str) -> None:
        """Forget the failures."""
        self._failures.pop(key, None)
        self._blocked.pop(key, None)
