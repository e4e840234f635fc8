"""`resume`: go on after a pause."""

from dataclasses import replace

from bot.domain.access import AccessList
from bot.domain.commands.request import Request
from bot.domain.decisions.drift import say_drift
from bot.domain.decisions.moves import Moment, event, go_on, hold, must_ask, step_or_ask
from bot.domain.errors import TransitionError
from bot.domain.events import EventKind
from bot.domain.gate import GateAnswer, Verdict
from bot.domain.rollout import Change, Entry, Phase
from bot.domain.verbs.button import Button, expected_unless_a_gate_fails
from bot.domain.verbs.declaration import Kind, Verb
from bot.domain.verbs.raising import LATE_AFTER, last_decision, require_pass

_INSTEAD = "`restore` writes {weight} % again, `adopt` goes on from what is there; `rollback` works too."


def _resume(entry: Entry, request: Request, verdict: Verdict, moment: Moment) -> Change:
    rollout = entry.rollout
    if rollout.drifted:
        raise TransitionError(say_drift(rollout), hint=_INSTEAD.format(weight=rollout.weight))
    change = _before_first_weight(entry, verdict, moment) if rollout.step < 0 else go_on(entry, moment)
    return replace(change, events=(event(EventKind.RESUMED, moment, rollout, request.command.reason), *change.events))


def _before_first_weight(entry: Entry, verdict: Verdict, moment: Moment) -> Change:
    """Do what a start does: ask people, take the first weight, or hold. Raises TransitionError if a gate fails it."""
    if must_ask(entry.rollout, 0) or verdict.answer is GateAnswer.PASS:
        return step_or_ask(entry, 0, moment)
    if verdict.answer is GateAnswer.FAIL:
        require_pass(verdict)
    change = hold(entry, verdict.reason, moment, gates=verdict.gates)
    return replace(change, after=replace(change.after, left=None, ask=None))


def _label(entry: Entry) -> str:
    rollout = entry.rollout
    return f"Resume at {rollout.weight} %" if rollout.step >= 0 else "Resume"


RESUME = Verb(
    name="resume",
    kind=Kind.ORDER,
    help="go on",
    usage="[POOL] [reason]",
    instead_of=("continue", "unpause", "go", "proceed"),
    access=AccessList.RUN,
    phases=frozenset({Phase.PAUSED}),
    works=lambda rollout: not rollout.drifted,
    raises=True,
    late_after=LATE_AFTER,
    outdated_by=last_decision,
    decide=_resume,
    button=Button(label=_label, style=expected_unless_a_gate_fails),
)
