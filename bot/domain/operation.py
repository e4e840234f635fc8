"""Operations: work that takes a while and moves no traffic, such as a trial. The record.

As with a rollout, each ``Operation`` is one decision with its own random id (decisions/of_operations.py). ``state``
says what is to be done next: it is saved before that is done, and an executor does what it says and no more.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from bot.domain.agreement import Agreement

MOST_PROGRESS = 6
"""How many of its newest sentences an operation keeps for its card; the thread has all of them."""

SHORTEST_WAIT = timedelta(seconds=1)
"""The shortest wait before the same step is taken again."""

LONGEST_WAIT = timedelta(seconds=30)
"""The longest wait before a failed step is tried again."""


class OperationPhase(StrEnum):
    """Where an operation is in its life."""

    RUNNING = "running"
    ASKING = "asking"  # people have to agree to what comes next
    CANCELLING = "cancelling"  # its work is taken back, step by step
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


OVER = frozenset({OperationPhase.DONE, OperationPhase.FAILED, OperationPhase.CANCELLED})
"""Phases that nothing follows by itself. What failed may still be cleaned up."""


class OperationEventKind(StrEnum):
    """What happened; the sentence for it is written in bot/domain/sentences/operations.py."""

    BEGUN = "begun"
    PROGRESSED = "progressed"
    ASKED = "asked"
    APPROVED = "approved"
    QUESTION = "question"  # ``said`` is its number
    DONE = "done"
    FAILED = "failed"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationEvent:
    """One thing that happened; ``by`` is empty if the executor or the clock did it."""

    kind: OperationEventKind
    at: datetime
    by: str = ""
    said: str = ""  # a sentence of the executor, or the reason that somebody gave


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One decision about one operation.

    ``kind`` is the executor's name, ``subject`` what it works on, ``slot`` what no two operations may hold at once.
    ``state`` is the executor's own JSON. ``deadline`` is that of the phase: taking back has a time of its own. ``turn``
    moves with the phase only.
    """

    id: str
    kind: str
    subject: str
    parameters: Mapping[str, str]
    reason: str
    channel: str
    started_by: str
    started_at: datetime

    phase: OperationPhase
    since: datetime
    deadline: datetime
    state: Mapping[str, Any]
    revision: int
    decision: str
    decided_at: datetime
    turn: int

    slot: str = ""  # empty: the subject; where it is given, gates find the last operation of the slot
    progress: tuple[str, ...] = ()  # the newest sentences, oldest first
    attempts: int = 0  # failures in a row of the step that is to be taken
    trouble: str = ""  # why that step has not been taken yet
    by: str = ""  # who made this decision; empty: the executor or the clock
    why: str = ""  # why it failed or was cancelled
    left: str = ""  # what is left for people to do by hand
    agreement: Agreement | None = None  # what people were asked last

    @property
    def is_over(self) -> bool:
        """Say whether it is over: nothing more happens by itself."""
        return self.phase in OVER

    @property
    def holds(self) -> str:
        """Return what no other operation may hold until it is over."""
        return self.slot or self.subject

    def may(self, digest: str) -> bool:
        """Say whether people have agreed to exactly this."""
        return self.agreement is not None and self.agreement.digest == digest and self.agreement.is_reached

    @property
    def name(self) -> str:
        """Return what people call it."""
        return f"{self.kind} {self.subject}".strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationChange:
    """One decision: the record after it, what to tell, and when to go on; ``due`` None: never by itself."""

    after: Operation
    events: tuple[OperationEvent, ...] = ()
    due: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOperation:
    """What somebody who begins an operation asks for."""

    kind: str
    subject: str
    by: str
    channel: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""


def operation_id(delivery: str, at: datetime) -> str:
    """Derive an operation's id from its request's delivery and second, so that one request cannot begin two.

    What is asked for again under the same delivery, because Redis has lost it, gets another id: no button of the lost
    one acts on it.
    """
    return "o-" + hashlib.sha256(f"{delivery} {int(at.timestamp())}".encode()).hexdigest()[:8]


def is_operation_id(word: str) -> bool:
    """Say whether a word can only be meant as the id of an operation."""
    return re.fullmatch(r"o-[0-9a-f]{8}", word) is not None


def is_out_of_time(operation: Operation, now: datetime) -> bool:
    """Say whether its deadline has passed."""
    return not operation.is_over and now >= operation.deadline
