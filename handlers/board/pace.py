"""How fast we may write to Slack: a budget for edits, a rest for each card and channel, and Slack's own limits."""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock
from typing import TypeVar

from bot.domain.backoff import Backoff

MINUTE = timedelta(minutes=1)
EDITS = 40
EDITS_OF_PROGRESS = 30
"""Progress leaves some of the budget to changes of state."""

PAGES = 50
"""How many reads of history Slack takes a minute; as many again of threads."""

REST = timedelta(seconds=3)
POST_REST = timedelta(seconds=1)
"""Slack takes a message a second in each channel, and lets short bursts pass: a card and its thread."""

REFUSED = Backoff(timedelta(seconds=2), timedelta(minutes=2))
"""Somebody has to let us write there again, which takes time."""

UNANSWERED = Backoff(timedelta(seconds=1), timedelta(seconds=4))
"""Slack may recover at any moment, and people wait for the card. So few calls are no load for Slack."""

MOST = 5000


Value = TypeVar("Value")


class Later(Exception):  # noqa: N818 (nothing went wrong)
    """Something has to wait until ``at``; ``to_post``: nothing but until it may post into its channel."""

    def __init__(self, at: datetime, *, to_post: bool = False) -> None:
        super().__init__(f"later: {at}")
        self.at, self.to_post = at, to_post


class OvertakenError(Later):
    """Somebody else has saved what Slack shows: this process froze, and another one leads."""


@dataclass(slots=True)
class Pace:
    """One process's memory of what it sent, for all its threads; losing it costs nothing but a few early edits."""

    _edits: deque[datetime] = field(default_factory=deque)
    _pages: dict[str, deque[datetime]] = field(default_factory=dict)
    _last: dict[str, tuple[datetime, int]] = field(default_factory=dict)
    _blocked: dict[str, datetime] = field(default_factory=dict)
    _failures: dict[str, int] = field(default_factory=dict)
    _posts: dict[str, datetime] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def take_edit(self, card: str, turn: int, now: datetime) -> datetime:
        """Take an edit from the budget and return now, or return when to ask again.

        A card that moved to another turn need not rest.
        """
        with self._lock:
            at = self._edit_at(card, turn, now)
            if at <= now:
                self._edits.append(now)
                _keep(self._last, card, (now, turn))
            return at

    def give_back(self, card: str, taken: datetime) -> None:
        """Put back an edit that Slack did not answer: failures must not delay the card once Slack works again."""
        with self._lock:
            self._last.pop(card, None)
            if taken in self._edits:
                self._edits.remove(taken)

    def take_post(self, channel: str, now: datetime) -> datetime:
        """Take a post into a channel and return now, or return when to ask again."""
        with self._lock:
            last = self._posts.get(channel, now - POST_REST)
            if last > now:
                return last
            _keep(self._posts, channel, max(last, now - POST_REST) + POST_REST)
            return now

    def next_post(self, channel: str, now: datetime) -> datetime:
        """Return when a post into a channel can be taken; now if it can."""
        return max(now, self._posts.get(channel, now))

    def take_page(self, method: str, now: datetime) -> datetime:
        """Take a page from the budget of a method and return now, or return when to ask again."""
        with self._lock:
            taken = self._pages.setdefault(method, deque())
            while taken and taken[0] <= now - MINUTE:
                taken.popleft()
            if len(taken) >= PAGES:
                return taken[0] + MINUTE
            taken.append(now)
            return now

    def _edit_at(self, card: str, turn: int, now: datetime) -> datetime:
        while self._edits and self._edits[0] <= now - MINUTE:
            self._edits.popleft()
        last = self._last.get(card)
        moved = last is None or last[1] != turn
        most = EDITS if moved else EDITS_OF_PROGRESS
        free = now if len(self._edits) < most else self._edits[-most] + MINUTE
        rested = now if moved or last is None else last[0] + REST
        return max(now, free, rested)

    def drawn(self, card: str, turn: int, now: datetime) -> None:
        """Remember that a card shows a turn now."""
        with self._lock:
            _keep(self._last, card, (now, turn))

    def blocked_until(self, key: str, now: datetime) -> datetime:
        """Return when something that was blocked is free again; now if it is."""
        return max(now, self._blocked.get(key, now))

    def block(self, key: str, now: datetime, wait: timedelta) -> None:
        """Leave a method, a channel or a card alone for a while."""
        with self._lock:
            _keep(self._blocked, key, max(self._blocked.get(key, now), now + wait))

    def failed(self, key: str, now: datetime, backoff: Backoff) -> None:
        """Leave it alone, longer after every failure in a row."""
        count = self.failures(key) + 1
        with self._lock:
            _keep(self._failures, key, count)
        self.block(key, now, backoff.wait(count))

    def failures(self, key: str) -> int:
        """Return how often it failed in a row."""
        return self._failures.get(key, 0)

    def worked(self, key: str) -> None:
        """Forget the failures."""
        with self._lock:
            self._failures.pop(key, None)
            self._blocked.pop(key, None)


def _keep(memory: dict[str, Value], key: str, value: Value) -> None:
    """Remember it as the newest; if there is too much, forget the oldest."""
    memory.pop(key, None)
    memory[key] = value
    if len(memory) > MOST:
        del memory[next(iter(memory))]
