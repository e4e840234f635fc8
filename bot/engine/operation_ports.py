"""What operations need of the store."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bot.domain.operation import Operation, OperationChange, OperationEvent
from bot.engine.store_port import Saved


@dataclass(frozen=True, slots=True, kw_only=True)
class SaveOperation:
    """One decision for the store, all or nothing.

    ``expected`` is the decision id that must be stored now (None: the operation must be unknown), ``request`` the
    delivery that must still be in the inbox and leaves it.
    """

    change: OperationChange
    expected: str | None
    request: str | None = None


class Operations(Protocol):
    """Records of operations. Raises StoreError; every call is bounded in time (about a second)."""

    def load(self, operation_id: str) -> Operation | None:
        """Return what is stored of an operation. Raises UnreadableError."""

    def under_way(self) -> Sequence[Operation]:
        """Return the operations that are not over, newest first."""

    def on(self, held: str) -> str | None:
        """Return the id of the operation that holds a subject or a slot."""

    def last(self, slot: str) -> Operation | None:
        """Return the operation that holds a slot, or held it last. Raises UnreadableError."""

    def save(self, save: SaveOperation) -> Saved:
        """Compare and save one decision. TAKEN: another operation works on the subject."""

    def claim_due(self, now: datetime) -> Sequence[str]:
        """Return ids of operations that are due, and push them ahead, so that each comes again if nobody handles it."""

    def events(self, operation_id: str, after: int) -> Sequence[OperationEvent]:
        """Return what happened to an operation after the first ``after`` events."""
