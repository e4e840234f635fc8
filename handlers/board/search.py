"""Looks for our messages in Slack, as far back as it takes: a busy channel has thousands of newer ones.

History comes in pages, newest first, and Slack takes 50 calls a minute. So a search reads some pages and lets other
cards have their turn; it goes on where it stopped, also after Slack failed or asked to slow down.
"""

from collections.abc import Container
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from handlers.board.pace import Pace
from handlers.board.topic import Topic
from handlers.board.waiting import Later, Wait
from handlers.slack import FoundMessage, Slack, SlackError

PAGES_AT_ONCE: Final = 10
EXPIRED: Final = "invalid_cursor"
"""Slack's error for a place in the history that it no longer knows."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Where to look, and how the first block id of what is looked for begins; ``thread_ts`` empty: in the channel."""

    channel: str
    prefix: str
    since: datetime
    thread_ts: str = ""


@dataclass(frozen=True, slots=True)
class MessageSearch:
    """How far a search has come; ``cursor`` is where the next page begins: None if there is no more."""

    place: Stretch
    cursor: str | None = ""
    found: tuple[FoundMessage, ...] = ()


class Searches:
    """The searches of one board: for each rollout one in its channel, one in its thread. Several threads may search.

    A result is kept until it is forgotten, so that a search in the thread does not repeat the one for the card.
    """

    def __init__(self, slack: Slack, pace: Pace) -> None:
        self._slack, self._pace = slack, pace
        self._begun: dict[tuple[str, bool], MessageSearch] = {}

    def find(self, topic: Topic, place: Stretch, now: datetime) -> list[FoundMessage]:
        """Return what is there, oldest first. Raises Later if there is more to read, and SlackError."""
        key = (topic.id, bool(place.thread_ts))
        search = self._begun.get(key)
        if search is None or search.place != place:
            search = MessageSearch(place)
        for _ in range(PAGES_AT_ONCE):
            if search.cursor is None:
                return sorted(set(search.found), key=lambda message: float(message.ts))
            search = self._begun[key] = self._read_page(search, topic, now)
        raise Later(Wait(now))

    def forget(self, rollout_id: str) -> None:
        """Search again the next time."""
        for is_thread in (True, False):
            self._begun.pop((rollout_id, is_thread), None)

    def forget_all_but(self, rollout_ids: Container[str]) -> None:
        """Forget the results of every other rollout."""
        for rollout_id, _ in set(self._begun):
            if rollout_id not in rollout_ids:
                self.forget(rollout_id)

    def _read_page(self, search: MessageSearch, topic: Topic, now: datetime) -> MessageSearch:
        place, method = search.place, "replies" if search.place.thread_ts else "history"
        self._pace.take_page(method, topic, now)
        try:
            page = self._slack.page(place.channel, place.prefix, place.since, place.thread_ts, search.cursor or "")
        except SlackError as error:
            if error.error != EXPIRED:
                self._pace.give_back_page(method, now)
                raise
            return MessageSearch(place)  # from the beginning
        return replace(search, cursor=page.next or None, found=(*search.found, *page.found))
