"""How entries are stored in Redis: the arguments of the scripts in lua/, and the rows that they write."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from pydantic import TypeAdapter

from bot.domain.deadlines import POLL_ACCEPTANCE
from bot.domain.errors import UnreadableError
from bot.domain.gate import Finding, Readiness
from bot.domain.rollout import SLOTLESS, STEPS_BY_ITSELF, TAKEN_BACK, Acceptance, Applied, Entry, Phase, Trouble
from bot.domain.urgency import urgency_of
from bot.engine.encoding import event_json, read_rollout, rollout_json
from bot.engine.store_port import Progress, Save
from bot.store.times import epoch, time_of

PENDING: Final = TypeAdapter(tuple[str, ...])
APPLIED: Final = TypeAdapter(Applied)
TROUBLE: Final = TypeAdapter(Trouble)
READINESS: Final = TypeAdapter(Readiness)
FINDINGS: Final = TypeAdapter(tuple[Finding, ...])
_FLAGS: Final = {"0": False, "1": True}
KEPT_SECONDS: Final = 90 * 86400
"""How long a rollout that is over is remembered."""

FIELDS: Final = (
    "record",
    "applied",
    "pending",
    "acceptance",
    "due",
    "step_due",
    "trouble",
    "readiness",
    "findings",
    "followed",
)


def save_arguments(save: Save) -> dict[str, object]:
    """Return what save.lua wants."""
    to = save.change.after
    return {
        "id": to.id,
        "expected": save.expected or "",
        "decision": to.decision,
        "request": save.request or "",
        "take_slot": save.take_slot,
        "started": epoch(to.started_at),
        "now": epoch(to.decided_at),
        "uid": to.route_uid,
        "record": rollout_json(to),
        "due": epoch(save.change.due) if save.change.due else "",
        "step_due": epoch(save.change.step_due) if save.change.step_due else "",
        "poll": epoch(to.decided_at + POLL_ACCEPTANCE),
        "kept": KEPT_SECONDS,
        "brake": to.phase in TAKEN_BACK,
        "events": [event_json(event) for event in save.change.events],
        "slotless": "1" if to.phase in SLOTLESS else "0",
        "over": to.is_over,
        "refused": to.phase is Phase.REFUSED,
        "settled": save.settled,
        "applied": APPLIED.dump_json(save.applied).decode() if save.applied else "",
        "applied_revision": save.applied.revision if save.applied else 0,
        "canary": to.canary.name,
        "urgency": int(urgency_of(to)),
        "channel": to.channel,
    }


def learn_arguments(rollout_id: str, decision: str, progress: Progress) -> dict[str, object]:
    """Return what learn.lua wants."""
    return {
        "id": rollout_id,
        "decision": decision,
        "op": uuid.uuid4().hex,
        "acceptance": progress.acceptance.value if progress.acceptance else "",
        "due": "none" if progress.no_due else epoch(progress.due) if progress.due else "",
        "step_due": epoch(progress.step_due) if progress.step_due else "",
        "retry": epoch(progress.retry) if progress.retry else "",
        "trouble": TROUBLE.dump_json(progress.trouble).decode() if progress.trouble else "",
        "readiness": READINESS.dump_json(progress.readiness).decode() if progress.readiness else "",
        "findings": FINDINGS.dump_json(progress.findings).decode() if progress.findings is not None else "",
        "events": [event_json(event) for event in progress.events],
        "redraw": progress.redraw,
    }


def entry_of(fields: list[str | None]) -> Entry | None:
    """Read the values of FIELDS; None if there is no record. Raises UnreadableError."""
    record, applied, pending, acceptance, due, step_due, trouble, readiness, findings, followed = fields
    if not record:
        return None
    with readable("record"):
        rollout = read_rollout(record)
        if rollout is None:
            raise ValueError("none of ours")
        heard = Acceptance(acceptance) if acceptance else Acceptance.NOT_WRITTEN
        if step_due is None and heard is not Acceptance.WAITING:
            step_due = due  # from a version that did not tell the two apart
        return Entry(
            rollout=rollout,
            pending=PENDING.validate_json(pending or "[]"),
            applied=APPLIED.validate_json(applied) if applied else None,
            acceptance=heard,
            due=time_of(due) if due else None,
            step_due=time_of(step_due) if step_due and rollout.phase in STEPS_BY_ITSELF else None,
            trouble=TROUBLE.validate_json(trouble) if trouble else None,
            readiness=READINESS.validate_json(readiness) if readiness else None,
            findings=FINDINGS.validate_json(findings) if findings else (),
            is_followed=_FLAGS[followed or "0"],
        )


@contextmanager
def readable(what: str) -> Iterator[None]:
    """Turn whatever is wrong with a text from Redis into an UnreadableError: anybody who reaches Redis may have put it
    there, or another version of the bot.
    """
    try:
        yield
    except (ValueError, LookupError, OverflowError, RecursionError) as error:
        raise UnreadableError(
            f"The {what} was written by another version of the bot.", hint="It is left as it is."
        ) from error
