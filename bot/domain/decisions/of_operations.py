"""Decisions about operations: each turns a record into the next one. Nothing here has an effect."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from bot.domain.agreement import Agreement
from bot.domain.decisions.moves import Moment
from bot.domain.errors import NotAllowedError, TransitionError
from bot.domain.operation import (
    LONGEST_WAIT,
    MOST_PROGRESS,
    SHORTEST_WAIT,
    NewOperation,
    Operation,
    OperationChange,
    OperationEvent,
    OperationEventKind,
    OperationPhase,
)


def begin(
    asked: NewOperation,
    moment: Moment,
    *,
    operation_id: str,
    state: Mapping[str, Any],
    within: timedelta,
    slot: str = "",
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
        slot=slot,
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


def put_question(operation: Operation, state: Mapping[str, Any], number: int, moment: Moment) -> OperationChange:
    """Note that a question is put to people, whose answers come one by one."""
    to = _after(operation, moment, state=state, attempts=0, trouble="")
    told = (_event(OperationEventKind.QUESTION, moment, str(number)),)
    return OperationChange(after=to, events=told, due=_no_later(to, moment.now))


def take_answer(operation: Operation, state: Mapping[str, Any], moment: Moment) -> OperationChange:
    """Note that somebody has answered a question; its executor looks at once whether that is enough."""
    to = replace(_after(operation, moment, state=state), by="")
    return OperationChange(after=to, due=_no_later(to, moment.now))


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
