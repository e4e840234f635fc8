"""`end`: stop managing the route; the weights stay."""

from bot.domain.access import AccessList
from bot.domain.commands.request import END as NAME
from bot.domain.commands.request import Request
from bot.domain.decisions.moves import Moment, end
from bot.domain.errors import TransitionError
from bot.domain.gate import Verdict
from bot.domain.rollout import OVER, Change, Entry, Phase
from bot.domain.verbs.button import Button, Dialog, Style, short
from bot.domain.verbs.declaration import Kind, Verb
from bot.domain.weights import weight_there


def _end(entry: Entry, request: Request, verdict: Verdict, moment: Moment) -> Change:
    rollout = entry.rollout
    if rollout.mirror and not rollout.drifted:
        raise TransitionError(
            f"The route would go on copying {rollout.mirror} % of the requests to `{rollout.canary.name}`.",
            hint="`rollback` takes that out, and no weight has moved yet.",
        )
    return end(entry, request.command.reason, moment)


def _dialog(entry: Entry) -> Dialog:
    there, old, new = weight_there(entry), short(entry.rollout.stable), short(entry.rollout.canary)
    stay = "as they are" if entry.rollout.drifted else f"at {there} % on {new} and {100 - there} % on {old}"
    return Dialog(
        title="End?", text=f"I stop managing the route. The weights stay {stay}.", yes="End", style=Style.DANGER
    )


END = Verb(
    name=NAME,
    kind=Kind.ORDER,
    help="stop managing the route and leave its weights",
    usage="[POOL] [reason]",
    instead_of=("delete", "remove", "forget"),
    access=AccessList.RUN,
    phases=frozenset(Phase) - OVER,
    outdated_by=lambda rollout: rollout.since,
    decide=_end,
    button=Button(
        label=lambda entry: "End, keep the weights",
        shown=lambda entry: entry.rollout.phase is Phase.PAUSED,
        dialog=_dialog,
    ),
)
