"""The buttons of a card in Slack; the verbs say which there are, and what they ask first."""

import json
from dataclasses import dataclass

from bot.domain.decisions.start import is_rollout_id
from bot.domain.errors import UsageError
from bot.domain.operation import is_operation_id
from bot.domain.rollout import Entry
from bot.domain.verbs.button import Button, Dialog
from bot.domain.verbs.declaration import Verb
from bot.domain.verbs.registry import verbs
from handlers.blocks import Block
from handlers.mrkdwn import shorten
from handlers.outside import read_json


@dataclass(frozen=True, slots=True)
class Press:
    """What a button carries: the rollout, and the turn in which it was drawn."""

    id: str
    turn: int

    def dumps(self) -> str:
        return json.dumps({"id": self.id, "turn": self.turn}, separators=(",", ":"))


def read_press(value: object) -> Press:
    """Read a button's value. Raises UsageError if it is not ours."""
    return press_of(read_json(value, 2000))


def press_of(document: object) -> Press:
    """Return the press that a document holds. Raises UsageError if it holds none."""
    match document:
        case {"id": str(named), "turn": int(turn)} if _is_id(named) and not isinstance(turn, bool):
            return Press(named, turn)
        case _:
            raise UsageError("I cannot read this button.", hint="Use the newest card of the rollout.")


def _is_id(named: str) -> bool:
    """Say whether it can only be an id: any other word would be looked up as a pool, or taken as a reason."""
    return is_rollout_id(named) or is_operation_id(named)


def action_id(verb: str) -> str:
    """Return the action id of a verb's button."""
    return f"rollout_{verb}"


def drawn(entry: Entry) -> tuple[Verb, ...]:
    """Return the verbs that have a button now, the brakes first."""
    pressable = [(verb, verb.button) for verb in verbs() if verb.button is not None]
    shown = [(verb, button) for verb, button in pressable if verb.works_now(entry.rollout) and button.shown(entry)]
    return tuple(verb for verb, button in sorted(shown, key=lambda pair: pair[1].place))


def draw_buttons(entry: Entry) -> list[Block]:
    """Return the elements of the card's actions block; none if the rollout is over."""
    return [draw_button(verb.name, verb.button, entry) for verb in drawn(entry) if verb.button is not None]


def draw_button(name: str, button: Button, entry: Entry) -> Block:
    """Draw a verb's button for a rollout."""
    rollout, label = entry.rollout, button.label(entry)
    block: Block = {
        "type": "button",
        "action_id": action_id(name),
        "text": {"type": "plain_text", "text": label, "emoji": False},
        "value": Press(rollout.id, rollout.turn).dumps(),
        "accessibility_label": f"{label}: {shorten(rollout.canary.name, 40)}",
    }
    style, dialog = button.style(entry), button.dialog(entry)
    styled = {"style": style.value} if style else {}
    return block | styled | ({"confirm": _confirm(dialog)} if dialog else {})


def _confirm(dialog: Dialog) -> Block:
    return {
        "title": {"type": "plain_text", "text": dialog.title},
        "text": {"type": "plain_text", "text": dialog.text},
        "confirm": {"type": "plain_text", "text": dialog.yes},
        "deny": {"type": "plain_text", "text": "Go back"},  # "Cancel" could mean the rollout
        "style": dialog.style.value,
    }
