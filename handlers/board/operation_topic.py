"""An operation, seen as a topic of the board."""

from dataclasses import dataclass
from datetime import datetime

from bot.domain.operation import Operation
from bot.engine.operation_ports import Operations
from handlers.board.topic import Note
from handlers.cards import Card
from handlers.operation_card import draw_operation, next_events, operation_message, tells_the_channel


@dataclass(frozen=True, slots=True)
class OperationTopic:
    """One operation, and where its events are."""

    operation: Operation
    operations: Operations

    @property
    def id(self) -> str:
        return self.operation.id

    @property
    def channel(self) -> str:
        return self.operation.channel

    @property
    def started_at(self) -> datetime:
        return self.operation.started_at

    @property
    def turn(self) -> int:
        return self.operation.turn

    @property
    def is_awaited(self) -> bool:
        return self.operation.since == self.operation.decided_at

    @property
    def settles_at(self) -> datetime | None:
        return None

    def draw(self, n: int) -> Card:
        return draw_operation(self.operation, n=n)

    def note(self, cursor: int, first: int) -> Note | None:
        events = next_events(self.operations.events(self.id, cursor))
        if not events:
            return None
        card = operation_message(events, self.operation, first=first)
        return Note(card=card, events=len(events), is_broadcast=tells_the_channel(events))


@dataclass(frozen=True, slots=True)
class OperationTopics:
    """All operations."""

    operations: Operations

    def load(self, topic_id: str) -> OperationTopic | None:
        """Return an operation. Raises StoreError, UnreadableError."""
        operation = self.operations.load(topic_id)
        return OperationTopic(operation, self.operations) if operation else None
