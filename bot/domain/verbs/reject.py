"""`reject`: say no to the step that waits for approval, and why."""

from dataclasses import replace

from bot.domain.access import AccessList
from bot.domain.commands.request import Request
from bot.domain.decisions.moves import Moment, pause
from bot.domain.events import REJECTED, EventKind
from bot.domain.gate import Verdict
from bot.domain.rollout import Change, Entry, Phase
from bot.domain.verbs.button import Button, Dialog, short
from bot.domain.verbs.declaration import Kind, Verb
from bot.domain.weights import asked_weight


def _reject(entry: Entry, request: Request, verdict: Verdict, moment: Moment) -> Change:
    change = pause(entry, f"{REJECTED}{request.command.reason}", moment, kind=EventKind.REJECTED)
    return replace(change, after=replace(change.after, ask=None))


def _dialog(entry: Entry | None) -> Dialog:
    return Dialog(title="Reject this step", text=f"{_about(entry)} Resume goes on with the plan.", yes="Reject")


def _about(entry: Entry | None) -> str:
    if entry is None or entry.rollout.ask is None:
        return "The rollout pauses where it is."
    rollout = entry.rollout
    return f"Reject {asked_weight(rollout)} % of `{short(rollout.canary, 80)}`? It pauses at {rollout.weight} %."


REJECT = Verb(
    name="reject",
    kind=Kind.ORDER,
    help="say no to the step, which pauses the rollout",
    usage="[POOL] reason",
    instead_of=("deny", "decline", "no"),
    access=AccessList.APPROVE,
    phases=frozenset({Phase.AWAITING_APPROVAL}),
    needs_reason=True,
    outdated_by=lambda rollout: rollout.since,
    decide=_reject,
    button=Button(label=lambda entry: f"Reject {asked_weight(entry.rollout)} %", reason_dialog=_dialog),
)
