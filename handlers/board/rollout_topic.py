"""A rollout, seen as a topic of the board."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from bot.domain.access import Access
from bot.domain.events import Event
from bot.domain.rollout import Entry
from bot.domain.telling import Tell
from bot.domain.urgency import is_awaited
from bot.engine.store_port import BoardMemory, Store
from handlers.blocks import Block
from handlers.board.topic import Note
from handlers.cards import Card, draw, shows_past
from handlers.thread import MOST, USUAL, is_broadcast, message

ON_ITS_WAY = timedelta(seconds=1)
"""How long a decision may take to reach the route before the card says that it is not written."""


Offer = Callable[[Entry], Sequence[Block]]


def nothing(entry: Entry) -> Sequence[Block]:
    """Offer nothing."""
    return ()


@dataclass(frozen=True, slots=True)
class RolloutTopic:
    """One rollout; ``events`` reads its stream after the first ones."""

    entry: Entry
    access: Access
    events: Callable[[int], Sequence[Event]]
    tell: Tell = USUAL
    offer: Offer = nothing

    @property
    def id(self) -> str:
        return self.entry.rollout.id

    @property
    def channel(self) -> str:
        return self.entry.rollout.channel

    @property
    def started_at(self) -> datetime:
        return self.entry.rollout.started_at

    @property
    def turn(self) -> int:
        return self.entry.rollout.turn

    @property
    def is_awaited(self) -> bool:
        return is_awaited(self.entry.rollout)

    @property
    def settles_at(self) -> datetime | None:
        """Wait for a write that is under way, rather than show for seconds a state that lasts milliseconds."""
        is_writing = not self.entry.is_applied and self.entry.trouble is None
        return self.entry.rollout.decided_at + ON_ITS_WAY if is_writing else None

    def draw(self, n: int) -> Card:
        kinds = shows_past(self.entry.rollout)
        past = [event for event in self.events(0) if event.kind in kinds] if kinds else []
        return draw(self.entry, self.access, n=n, past=past, offers=self.offer(self.entry))

    def note(self, cursor: int, first: int) -> Note | None:
        events = self.events(cursor)[:MOST]
        if not events:
            return None
        card = message(events, self.entry, self.access, first=first, tell=self.tell)
        return Note(card=card, events=len(events), is_broadcast=is_broadcast(events, self.tell))


@dataclass(frozen=True, slots=True)
class RolloutTopics:
    """All rollouts."""

    store: Store
    memory: BoardMemory
    access: Access
    tell: Tell = USUAL
    offer: Offer = nothing
    """What the card offers beside the verbs."""

    def load(self, topic_id: str) -> RolloutTopic | None:
        """Return a rollout. Raises StoreError, UnreadableError."""
        entry = self.store.load(topic_id)
        if entry is None:
            return None
        events = partial(self.memory.events, topic_id)
        return RolloutTopic(entry, self.access, events, self.tell, self.offer)
