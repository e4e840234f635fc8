"""`finish`: end the bake now, and take the old pool off the route."""

from bot.domain.access import AccessList
from bot.domain.commands.request import FINISH as NAME
from bot.domain.commands.request import Request
from bot.domain.decisions.moves import Moment, finish
from bot.domain.errors import TransitionError
from bot.domain.gate import Verdict
from bot.domain.rollout import Change, Entry, Phase, Rollout
from bot.domain.verbs.button import Button, Dialog, Style, is_settled, short
from bot.domain.verbs.declaration import Kind, Verb
from bot.domain.verbs.raising import not_settled


def _finish(entry: Entry, request: Request, verdict: Verdict, moment: Moment) -> Change:
    if missing := not_settled(entry):
        raise TransitionError(missing, hint="Try again in a moment, or `pause`.")
    return finish(entry, request.command.reason, moment)


def _is_paused_bake(rollout: Rollout) -> bool:
    return rollout.phase is Phase.PAUSED and rollout.left is Phase.PROMOTED and not rollout.drifted


def _dialog(entry: Entry) -> Dialog:
    old, new = short(entry.rollout.stable), short(entry.rollout.canary)
    text = f"{old} leaves the route, {new} keeps 100 %. You can still roll back while {old} runs."
    return Dialog(title="Finish?", text=text, yes="Finish")


FINISH = Verb(
    name=NAME,
    kind=Kind.ORDER,
    help="end the bake now: the old pool leaves the route",
    usage="[POOL] [reason]",
    instead_of=("complete", "done"),
    access=AccessList.RUN,
    phases=frozenset({Phase.PROMOTED}),
    also_fits=_is_paused_bake,
    outdated_by=lambda rollout: rollout.since,
    decide=_finish,
    button=Button(
        label=lambda entry: "Finish: drop the old pool",
        style=lambda entry: Style.PRIMARY,
        shown=lambda entry: entry.rollout.phase is Phase.PROMOTED and is_settled(entry),
        dialog=_dialog,
    ),
)
