"""Operations: work that takes a while and moves no traffic, such as a trial. The record, and every decision.

As with a rollout, each ``Operation`` is one decision with its own random id, and nothing here has an effect. ``state``
says what is to be done next: it is saved before that is done, and an executor does what it says and no more.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from bot.domain.agreement import Agreement
from bot.domain.decisions.moves import Moment
from bot.domain.errors import NotAllowedError, TransitionError

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

    ``kind`` is the executor's name, ``subject`` what it works on. ``state`` is the executor's own JSON. ``deadline``
    is that of the phase: taking back has a time of its own. ``turn`` moves with the phase only.
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


def operation_id(delivery: str) -> str:
    """Derive an operation's id from the delivery of its request, so that one delivery cannot begin two."""
    return "o-" + hashlib.sha256(delivery.encode()).hexdigest()[:8]


def is_operation_id(word: str) -> bool:
    """Say whether a word can only be meant as the id of an operation."""
    return re.fullmatch(r"o-[0-9a-f]{8}", word) is not None


def is_out_of_time(operation: Operation, now: datetime) -> bool:
    """Say whether its deadline has passed."""
    return not operation.is_over and now >= operation.deadline


# --- decisions -------------------------------------------------------------------------------------------------


def begin(
    asked: NewOperation, moment: Moment, *, operation_id: str, state: Mapping[str, Any], within: timedelta
) -> OperationChange:
    """Begin an operation; ``state`` says what is done first."""
    operation = Operation(
        id=operation_id,
        kind=asked.kind,
        subject=asked.subject,
        parameters=asked.parameters,
        reason=asked.reason,
        channel=asked.channel,
        started_by=asked.by,
        started_at=moment.now,
        phase=OperationPhase.RUNNING,
        since=moment.now,
        deadline=moment.now + within,
        state=state,
        revision=1,
        decision=moment.decision,
        decided_at=moment.now,
        turn=1,
        by=asked.by,
    )
    return OperationChange(
        after=operation, events=(_event(OperationEventKind.BEGUN, moment, asked.reason),), due=moment.now
    )


def go_on(
    operation: Operation, state: Mapping[str, Any], said: str, wait: timedelta, moment: Moment
) -> OperationChange:
    """Note that a step was taken, and what is done next, after ``wait``; a step that changed nothing has to wait."""
    wait = max(wait, SHORTEST_WAIT if state == operation.state else timedelta(0))
    to = _after(operation, moment, state=state, progress=_with(operation, said), attempts=0, trouble="")
    told = (_event(OperationEventKind.PROGRESSED, moment, said),) if said else ()
    return OperationChange(after=to, events=told, due=_no_later(to, moment.now + wait))


def ask_people(
    operation: Operation, agreement: Agreement, state: Mapping[str, Any], within: timedelta, moment: Moment
) -> OperationChange:
    """Wait until people agree; without an answer it fails after ``within``."""
    to = _after(
        operation, moment, phase=OperationPhase.ASKING, state=state, agreement=agreement, attempts=0, trouble=""
    )
    to = replace(to, deadline=moment.now + within)
    return OperationChange(after=to, events=(_event(OperationEventKind.ASKED, moment, ""),), due=to.deadline)


def approve(operation: Operation, within: timedelta, moment: Moment, *, requester_may_approve: bool) -> OperationChange:
    """Add somebody's approval; with enough of them it goes on. Raises TransitionError, NotAllowedError."""
    agreement = operation.agreement
    if operation.phase is not OperationPhase.ASKING or agreement is None:
        raise TransitionError(f"`{operation.name}` is not waiting for approval.")
    if moment.by == operation.started_by and not requester_may_approve:
        raise NotAllowedError("You started this, so your approval does not count.", hint="Ask somebody else.")
    if moment.by in agreement.approvals:
        raise TransitionError("You have approved this already.", hint="It needs somebody else too.")
    given = replace(agreement, approvals=(*agreement.approvals, moment.by))
    told = (_event(OperationEventKind.APPROVED, moment, ""),)
    if not given.is_reached:
        return OperationChange(after=_after(operation, moment, agreement=given), events=told, due=operation.deadline)
    to = _after(operation, moment, phase=OperationPhase.RUNNING, agreement=given)
    return OperationChange(after=replace(to, deadline=moment.now + within), events=told, due=moment.now)


def try_again(operation: Operation, trouble: str, moment: Moment) -> OperationChange:
    """Note that a step failed; it is tried again, with a longer wait after every failure in a row."""
    to = _after(operation, moment, attempts=operation.attempts + 1, trouble=trouble)
    wait = min(timedelta(seconds=2 ** min(operation.attempts, 10)), LONGEST_WAIT)
    return OperationChange(after=to, due=_no_later(to, moment.now + wait))


def finish(operation: Operation, state: Mapping[str, Any], said: str, moment: Moment) -> OperationChange:
    """End after success: of the work itself, or of taking it back."""
    is_back = operation.phase is OperationPhase.CANCELLING
    phase = OperationPhase.CANCELLED if is_back else OperationPhase.DONE
    kind = OperationEventKind.CANCELLED if is_back else OperationEventKind.DONE
    to = _after(operation, moment, phase=phase, state=state, progress=_with(operation, said))
    return OperationChange(after=replace(to, attempts=0, trouble="", left=""), events=(_event(kind, moment, said),))


def fail(operation: Operation, why: str, left: str, moment: Moment) -> OperationChange:
    """Give up: ``left`` says what people have to look at or do by hand."""
    to = _after(operation, moment, phase=OperationPhase.FAILED, why=why, left=left, trouble="")
    said = f"{why} {left}".strip()
    return OperationChange(after=to, events=(_event(OperationEventKind.FAILED, moment, said),))


def run_out_of_time(operation: Operation, left: str, moment: Moment) -> OperationChange:
    """Give up because the deadline has passed, and name the last trouble, which is likely the cause."""
    what = _UNDONE.get(operation.phase, "done")
    late = f"It was not {what} by {operation.deadline:%H:%M} UTC."
    return fail(operation, f"{late} {operation.trouble}".strip(), left, moment)


_UNDONE = {OperationPhase.CANCELLING: "taken back", OperationPhase.ASKING: "approved"}


def cancel(operation: Operation, reason: str, within: timedelta, moment: Moment) -> OperationChange:
    """Take back what was done, from the next step on, or what a failure has left. Raises TransitionError."""
    if operation.phase not in (OperationPhase.RUNNING, OperationPhase.ASKING, OperationPhase.FAILED):
        raise TransitionError(
            f"You can't cancel `{operation.name}`: it is {operation.phase}.", hint="Its card says how it stands."
        )
    why = reason or (operation.why if operation.phase is OperationPhase.FAILED else "")
    to = _after(operation, moment, phase=OperationPhase.CANCELLING, why=why, attempts=0, trouble="", left="")
    to = replace(to, deadline=moment.now + within)
    return OperationChange(after=to, events=(_event(OperationEventKind.CANCELLING, moment, reason),), due=moment.now)


def _after(operation: Operation, moment: Moment, **changes: Any) -> Operation:
    """Return the record of the next decision: ``changes``, and what every decision moves."""
    new = replace(operation, **changes)
    moved = new.phase is not operation.phase
    return replace(
        new,
        revision=operation.revision + 1,
        decision=moment.decision,
        decided_at=moment.now,
        by=moment.by,
        since=moment.now if moved else operation.since,
        turn=operation.turn + 1 if moved else operation.turn,
    )


def _with(operation: Operation, said: str) -> tuple[str, ...]:
    return (*operation.progress, said)[-MOST_PROGRESS:] if said else operation.progress


def _no_later(operation: Operation, at: datetime) -> datetime:
    return min(at, operation.deadline)


def _event(kind: OperationEventKind, moment: Moment, said: str) -> OperationEvent:
    return OperationEvent(kind=kind, at=moment.now, by=moment.by, said=said)
