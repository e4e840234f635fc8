"""`promote`: go to 100 % now."""

from bot.domain.access import AccessList
from bot.domain.commands.request import Request
from bot.domain.decisions.by_cluster import can_go_without_stable
from bot.domain.decisions.moves import Moment, must_ask
from bot.domain.errors import TransitionError
from bot.domain.gate import Verdict
from bot.domain.rollout import Change, Entry, Phase, Rollout
from bot.domain.verbs.button import Button, Dialog, is_settled, short
from bot.domain.verbs.declaration import Kind, Verb
from bot.domain.verbs.raising import LATE_AFTER, go_or_ask, last_decision, last_step, raise_to
from bot.domain.weights import weight_there


def _promote(entry: Entry, request: Request, verdict: Verdict, moment: Moment) -> Change:
    if _is_asked_for(entry.rollout):
        raise TransitionError("100 % is waiting for approval already.", hint="`why` says who can approve it.")
    return raise_to(entry, last_step(entry.rollout), request, verdict, moment)


def _is_asked_for(rollout: Rollout) -> bool:
    return rollout.ask is not None and rollout.ask.step == last_step(rollout)


def _is_shown(entry: Entry) -> bool:
    """Say whether it would do more than the next step, and nothing else is open; or that it leaves a pause."""
    rollout = entry.rollout
    if rollout.phase is Phase.PAUSED:
        return can_go_without_stable(rollout) and is_settled(entry)
    skips = rollout.next_step not in (None, last_step(rollout))
    return rollout.phase is Phase.PROGRESSING and skips and is_settled(entry)


def _dialog(entry: Entry) -> Dialog:
    rollout, new = entry.rollout, short(entry.rollout.canary)
    text = f"Traffic goes from {weight_there(entry)} % to 100 % on {new}; the steps between are skipped."
    if must_ask(rollout, last_step(rollout)):
        text = f"I ask for approval of 100 % on {new}; with it, the steps between are skipped."
    return Dialog(title="Promote?", text=text, yes="Promote")


PROMOTE = Verb(
    name="promote",
    kind=Kind.ORDER,
    help="go to 100 % now",
    usage="[POOL] [reason]",
    instead_of=("complete", "done"),
    access=AccessList.RUN,
    phases=frozenset({Phase.PROGRESSING, Phase.HOLDING, Phase.AWAITING_APPROVAL}),
    also_fits=can_go_without_stable,
    works=lambda rollout: not _is_asked_for(rollout),
    raises=True,
    late_after=LATE_AFTER,
    outdated_by=last_decision,
    decide=_promote,
    button=Button(
        label=lambda entry: go_or_ask("Promote to", entry.rollout, last_step(entry.rollout)),
        shown=_is_shown,
        dialog=_dialog,
    ),
)
