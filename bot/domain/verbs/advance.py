"""`advance`: take the next step now."""

from bot.domain.access import AccessList
from bot.domain.commands.request import Request
from bot.domain.decisions.moves import Moment
from bot.domain.gate import Verdict
from bot.domain.rollout import Change, Entry, Phase
from bot.domain.verbs.button import Button, Style, is_settled
from bot.domain.verbs.declaration import Kind, Verb
from bot.domain.verbs.raising import LATE_AFTER, go_or_ask, last_decision, last_step, raise_to


def _advance(entry: Entry, request: Request, verdict: Verdict, moment: Moment) -> Change:
    return raise_to(entry, entry.rollout.step + 1, request, verdict, moment)


def _label(entry: Entry) -> str:
    rollout = entry.rollout
    return go_or_ask("Advance to", rollout, last_step(rollout) if rollout.next_step is None else rollout.next_step)


def _style(entry: Entry) -> Style:
    return Style.PRIMARY if entry.rollout.phase is Phase.PROGRESSING else Style.PLAIN


ADVANCE = Verb(
    name="advance",
    kind=Kind.ORDER,
    help="take the next step now",
    usage="[POOL] [reason]",
    instead_of=("next", "step", "increase"),
    access=AccessList.RUN,
    phases=frozenset({Phase.PROGRESSING, Phase.HOLDING}),
    raises=True,
    late_after=LATE_AFTER,
    outdated_by=last_decision,
    decide=_advance,
    button=Button(label=_label, style=_style, shown=is_settled),
)
