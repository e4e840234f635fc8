"""`approve`: let the step happen that waits for approval."""

from dataclasses import replace

from bot.domain.access import AccessList
from bot.domain.commands.request import APPROVE as NAME
from bot.domain.commands.request import Request
from bot.domain.deadlines import next_look
from bot.domain.decisions.moves import Moment, after, event, hold, is_approved, take_step
from bot.domain.errors import NotAllowedError, TransitionError
from bot.domain.events import EventKind
from bot.domain.gate import GateAnswer, Verdict
from bot.domain.rollout import Ask, Change, Entry, Phase, Rollout
from bot.domain.sentences.who_may import count_approvals
from bot.domain.verbs.button import Button, expected_unless_a_gate_fails
from bot.domain.verbs.declaration import Kind, Verb
from bot.domain.verbs.raising import LATE_AFTER, not_settled
from bot.domain.weights import asked_marks

MOST_MARKS = 3
"""Slack shows about 30 characters of a button."""


def _approve(entry: Entry, request: Request, verdict: Verdict, moment: Moment) -> Change:
    ask = _approved(entry.rollout, request.by)
    to = after(entry, moment, ask=ask)
    told = replace(event(EventKind.APPROVED, moment, to, request.command.reason), weight=to.plan.steps[ask.step])
    if not is_approved(to, ask.step):
        return Change(after=to, events=(told,), due=next_look(to, moment.now))
    given = replace(entry, rollout=replace(entry.rollout, ask=ask))
    change = _go(given, ask.step, verdict, moment)
    return replace(change, events=(told, *change.events))


def _approved(rollout: Rollout, user: str) -> Ask:
    ask = rollout.ask
    if ask is None:
        raise TransitionError(f"`{rollout.canary.name}` is not waiting for approval.")
    if user == rollout.started_by and not rollout.plan.requester_may_approve:
        raise NotAllowedError(
            "You started this rollout, so your approval does not count.", hint="`why` says whose does."
        )
    if user in ask.approvals:
        missing = rollout.plan.approvals - len(ask.approvals)
        raise TransitionError(
            "You have approved this step already.", hint=f"It still needs {count_approvals(missing)}."
        )
    return replace(ask, approvals=(*ask.approvals, user))


def _go(entry: Entry, step: int, verdict: Verdict, moment: Moment) -> Change:
    """Take an approved step, or hold it, still approved, while a gate says wait."""
    if verdict.answer is not GateAnswer.PASS:
        return hold(entry, verdict.reason, moment, gates=verdict.gates)
    missing = not_settled(entry)
    return hold(entry, missing, moment) if missing else take_step(entry, step, moment)


def _label(entry: Entry) -> str:
    """Name each mark, because one approval may cover several; of many, the ends."""
    marks = asked_marks(entry.rollout)
    if len(marks) <= MOST_MARKS:
        return f"Approve {', '.join(f'{mark} %' for mark in marks)}"
    return f"Approve {marks[0]} % … {marks[-1]} %, {len(marks)} marks"


APPROVE = Verb(
    name=NAME,
    kind=Kind.ORDER,
    help="let the next step happen",
    usage="[POOL] [reason]",
    instead_of=("accept", "ok", "yes", "lgtm", "confirm"),
    access=AccessList.APPROVE,
    phases=frozenset({Phase.AWAITING_APPROVAL}),
    raises=True,
    late_after=LATE_AFTER,
    outdated_by=lambda rollout: rollout.since,  # an approval in between changes nothing
    decide=_approve,
    button=Button(label=_label, style=expected_unless_a_gate_fails),
)
