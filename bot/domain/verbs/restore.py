"""`restore`: write our weights again over somebody else's."""

from bot.domain.access import AccessList
from bot.domain.decisions.drift import is_fight, lacks_to_restore, restore
from bot.domain.rollout import Entry, Phase
from bot.domain.verbs.button import Button, Dialog, Style, short
from bot.domain.verbs.declaration import Kind, Verb
from bot.domain.verbs.raising import LATE_AFTER, last_decision


def _dialog(entry: Entry) -> Dialog:
    rollout = entry.rollout
    text = f"I write {rollout.weight} % on {short(rollout.canary)} over what is there now, and go on."
    return Dialog(title="Restore?", text=text, yes="Restore")


RESTORE = Verb(
    name="restore",
    kind=Kind.ORDER,
    help="somebody else changed the weights: write ours again and go on",
    usage="[POOL] [reason]",
    access=AccessList.RUN,
    phases=frozenset({Phase.PAUSED}),
    works=lambda rollout: rollout.drifted and not lacks_to_restore(rollout),
    raises=True,
    late_after=LATE_AFTER,
    outdated_by=last_decision,
    decide=restore,
    button=Button(
        label=lambda entry: f"Restore {entry.rollout.weight} %",
        style=lambda entry: Style.PRIMARY,
        shown=lambda entry: not is_fight(entry.rollout),  # another restore would change nothing
        dialog=_dialog,
    ),
)
