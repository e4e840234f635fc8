"""How fast we may write to Slack: a budget for edits, a rest for each card and channel, and Slack's own limits."""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock
from typing import TypeVar

from bot.domain.backoff import Backoff
from handlers.board.topic import Topic
from handlers.board.waiting import Later, Wait

MINUTE = timedelta(minutes=1)
EDITS, EDITS_OF_STEPS, EDITS_OF_PROGRESS = 40, 30, 20
"""Progress leaves some of the budget to new states, and these some to what somebody waits for."""

PAGES, PAGES_OF_OTHERS = 45, 30
"""Of the 50 reads of history that Slack takes a minute, and as many of threads. Some are for what is awaited."""

REST = timedelta(seconds=3)
POST_REST = timedelta(seconds=1)
"""Slack takes a message a second in each channel, and lets short bursts pass: a card and its thread."""

REFUSED = Backoff(timedelta(seconds=2), timedelta(minutes=2))
"""Somebody has to let us write there again, which takes time."""

UNANSWERED = Backoff(timedelta(seconds=1), timedelta(seconds=4))
"""Slack may recover at any moment, and people wait for the card. So few calls are no load for Slack."""

MOST = 5000


Value = TypeVar("Value")


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

    def take_edit(self, topic: Topic, now: datetime) -> None:
        """Take an edit from the budget, or raise Later. A card that moved to another turn need not rest."""
        card, turn, is_awaited = topic.id, topic.turn, _is_awaited(topic, now)
        with self._lock:
            at = self._edit_at(card, turn, is_awaited, now)
            if at > now:
                raise Later(Wait(at, lambda now: self._next_edit(card, turn, is_awaited, now)))
            self._edits.append(now)
            _keep(self._last, card, (now, turn))

    def _next_edit(self, card: str, turn: int, is_awaited: bool, now: datetime) -> datetime:
        with self._lock:
            return self._edit_at(card, turn, is_awaited, now)

    def give_back(self, card: str, taken: datetime) -> None:
        """Put back an edit that Slack did not answer: failures must not delay the card once Slack works again."""
        with self._lock:
            self._last.pop(card, None)
            if taken in self._edits:
                self._edits.remove(taken)

    def take_post(self, channel: str, now: datetime) -> None:
        """Take a post into a channel, or raise Later."""
        with self._lock:
            last = self._posts.get(channel, now - POST_REST)
            if last > now:
                raise Later(Wait(last, lambda now: self._posts.get(channel, now)))
            _keep(self._posts, channel, max(last, now - POST_REST) + POST_REST)

    def take_page(self, method: str, topic: Topic, now: datetime) -> None:
        """Take a page from the budget of a method, or raise Later."""
        most = PAGES if _is_awaited(topic, now) else PAGES_OF_OTHERS
        with self._lock:
            taken = self._pages.setdefault(method, deque())
            at = _free_at(taken, most, now)
            if at > now:
                raise Later(Wait(at, lambda now: self._next_page(taken, most, now)))
            taken.append(now)

    def give_back_page(self, method: str, taken: datetime) -> None:
        """Put back a page that Slack did not give."""
        with self._lock:
            if taken in self._pages[method]:
                self._pages[method].remove(taken)

    def _next_page(self, taken: deque[datetime], most: int, now: datetime) -> datetime:
        with self._lock:
            return _free_at(taken, most, now)

    def _edit_at(self, card: str, turn: int, is_awaited: bool, now: datetime) -> datetime:
        last = self._last.get(card)
        moved = last is None or last[1] != turn
        most = EDITS_OF_PROGRESS if not moved else EDITS if is_awaited else EDITS_OF_STEPS
        free = _free_at(self._edits, most, now)
        rested = now if moved or last is None else last[0] + REST
        return max(now, free, rested)

    def drawn(self, topic: Topic, now: datetime) -> None:
        """Remember that a card shows its topic's turn now."""
        with self._lock:
            _keep(self._last, topic.id, (now, topic.turn))

    def wait_for(self, key: str, now: datetime) -> None:
        """Raise Later while a method, a channel or a card is blocked."""
        if self.blocked_until(key, now) > now:
            raise Later(self._wait_of(key, now))

    def blocked_until(self, key: str, now: datetime) -> datetime:
        """Return when something that was blocked is free again; now if it is."""
        return max(now, self._blocked.get(key, now))

    def block(self, key: str, now: datetime, wait: timedelta) -> Wait:
        """Leave a method, a channel or a card alone for a while."""
        with self._lock:
            _keep(self._blocked, key, max(self._blocked.get(key, now), now + wait))
        return self._wait_of(key, now)

    def _wait_of(self, key: str, now: datetime) -> Wait:
        return Wait(self.blocked_until(key, now), lambda now: self.blocked_until(key, now))

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


def _is_awaited(topic: Topic, now: datetime) -> bool:
    """Say whether somebody looks at the screen for it, as people do for a minute after a start."""
    return topic.is_awaited or now - topic.started_at < MINUTE


def _free_at(taken: deque[datetime], most: int, now: datetime) -> datetime:
    """Return when fewer than ``most`` were taken in the last minute; now if that is so."""
    while taken and taken[0] <= now - MINUTE:
        taken.popleft()
    return now if len(taken) < most else taken[-most] + MINUTE


def _keep(memory: dict[str, Value], key: str, value: Value) -> None:
    """Remember it as the newest; if there is too much, forget the oldest."""
    memory.pop(key, None)
    memory[key] = value
    if len(memory) > MOST:
        del memory[next(iter(memory))]
