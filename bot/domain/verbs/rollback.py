"""`rollback`: the brake. It puts the weights back as they were before the start, whatever the phase."""

from bot.domain.access import AccessList
from bot.domain.commands.request import ROLLBACK as NAME
from bot.domain.commands.request import Request
from bot.domain.decisions.moves import Moment, roll_back, roll_back_again
from bot.domain.gate import Verdict
from bot.domain.rollout import HAS_WAY_BACK, Change, Entry, Phase
from bot.domain.verbs.button import Button, Dialog, Position, Style, short
from bot.domain.verbs.declaration import Kind, Verb
from bot.domain.weights import weight_there

LONGEST_DOUBT = 120
"""Slack takes 300 characters as the text of a dialog before a button acts."""


def _roll_back(entry: Entry, request: Request, verdict: Verdict, moment: Moment) -> Change:
    again = entry.rollout.phase is Phase.ROLLED_BACK
    return (roll_back_again if again else roll_back)(entry, request.command.reason, moment)


def _style(entry: Entry) -> Style:
    """Red, except where people look for "remove"."""
    return Style.PLAIN if entry.rollout.phase is Phase.FINISHED else Style.DANGER


def _dialog(entry: Entry) -> Dialog:
    text = _way_back(entry) + _stable_warning(entry)
    return Dialog(title="Roll back?", text=text, yes="Roll back", style=Style.DANGER)


def _way_back(entry: Entry) -> str:
    there, old, new = weight_there(entry), short(entry.rollout.stable), short(entry.rollout.canary)
    if entry.rollout.hands_off:
        return f"Traffic goes back to 100 % on {old} and 0 % on {new}, whatever it is now."
    if there == 0:
        return f"No traffic has moved: {old} keeps 100 %, and this rollout is over."
    return f"All traffic goes back to {old}. {new} has {there} % now."


def _stable_warning(entry: Entry) -> str:
    doubt = entry.readiness.stable_doubt if entry.readiness else ""
    return f" The old pool cannot serve now: {_cut(doubt)}" if doubt else ""


def _cut(text: str) -> str:
    """Cut a sentence to what Slack allows in a dialog, beside the rest, and which shows no code."""
    text = text.replace("`", "")
    return text if len(text) <= LONGEST_DOUBT else f"{text[: LONGEST_DOUBT - 1]}…"


ROLLBACK = Verb(
    name=NAME,
    kind=Kind.ORDER,
    spoken="roll back",
    help="the brake: all traffic back to the old pool, always",
    usage="[POOL] [reason]",
    spellings=("roll back", "roll-back", "roll_back"),
    instead_of=("abort", "undo", "revert", "back", "stop", "halt", "cancel"),
    access=AccessList.ROLLBACK,
    phases=HAS_WAY_BACK,
    is_brake=True,
    decide=_roll_back,
    button=Button(
        label=lambda entry: "Roll back to 0 %",
        place=Position.ROLLBACK,
        style=_style,
        shown=lambda entry: entry.can_go_back,
        dialog=_dialog,
    ),
)
