"""What a card and its thread are about: a rollout or an operation. The board knows nothing else about them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from handlers.cards import Card


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """The next message of a thread: how many events it tells, and whether the whole channel sees it."""

    card: Card
    events: int
    is_broadcast: bool = False


class Topic(Protocol):
    """One thing that has a card, as it is stored now."""

    @property
    def id(self) -> str:
        """Return its id; block ids carry it."""

    @property
    def channel(self) -> str:
        """Return the channel of its card, which never changes; empty if it has no card."""

    @property
    def started_at(self) -> datetime:
        """Return when it began; its card is not older."""

    @property
    def turn(self) -> int:
        """Return a number that changes with its state, and not with mere progress."""

    @property
    def is_awaited(self) -> bool:
        """Say whether somebody waits for what it shows, so that it goes before others if Slack takes little."""

    @property
    def settles_at(self) -> datetime | None:
        """Return until when to wait for what is on its way; None if nothing is."""

    def draw(self, n: int) -> Card:
        """Draw its card; ``n`` counts the messages that have been its card. Block ids begin with ``card:{id}:{n}.``."""

    def note(self, cursor: int, first: int) -> Note | None:
        """Draw what happened after the first ``cursor`` events of the stream; None if nothing did.

        ``first`` is the place of the first one in the thread. The block id is ``event:{id}:{first}-{last}``.
        """


class Topics(Protocol):
    """Where the board finds them."""

    def load(self, topic_id: str) -> Topic | None:
        """Return a topic; None if it is not known here. Raises StoreError, UnreadableError."""


@dataclass(frozen=True, slots=True)
class EveryTopic:
    """All kinds of topics, by id."""

    kinds: Sequence[Topics]

    def load(self, topic_id: str) -> Topic | None:
        """Return the topic of the first kind that knows it."""
        return next((topic for kind in self.kinds if (topic := kind.load(topic_id)) is not None), None)
