"""`adopt`: go on from somebody else's weights."""

from bot.domain.access import AccessList
from bot.domain.decisions.drift import adopt, lacks_to_adopt, share
from bot.domain.rollout import Entry, Phase, Rollout
from bot.domain.verbs.button import Button, Dialog, short
from bot.domain.verbs.declaration import Kind, Verb
from bot.domain.verbs.raising import last_decision


def _theirs(rollout: Rollout) -> int:
    """Return the canary's percent that somebody else has set; if that is unclear, adopt does not work."""
    return (share(rollout.drift) if rollout.drift else None) or 0


def _dialog(entry: Entry) -> Dialog:
    rollout = entry.rollout
    new = short(rollout.canary)
    text = f"{_theirs(rollout)} % on {new} becomes the current step, and I go on from there."
    return Dialog(title="Adopt?", text=text, yes="Adopt")


ADOPT = Verb(
    name="adopt",
    kind=Kind.ORDER,
    help="or keep theirs and go on from there",
    usage="[POOL] [reason]",
    access=AccessList.RUN,
    phases=frozenset({Phase.PAUSED}),
    works=lambda rollout: rollout.drifted and not lacks_to_adopt(rollout),
    writes_first=True,
    outdated_by=last_decision,
    decide=adopt,
    button=Button(label=lambda entry: f"Adopt {_theirs(entry.rollout)} %", dialog=_dialog),
)
