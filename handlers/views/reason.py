"""The dialog that asks for the reason, before a button whose verb needs one."""

from collections.abc import Callable

from bot.domain.commands.request import Command
from bot.domain.commands.values import LONGEST_REASON, cut_reason
from bot.domain.decisions.by_people import require_turn
from bot.domain.errors import RolloutBotError, UsageError
from bot.domain.prose import sentence
from bot.domain.rollout import Entry
from bot.domain.verbs.button import Dialog
from bot.domain.verbs.registry import verbs
from handlers.buttons import action_id
from handlers.mrkdwn import mrkdwn
from handlers.views.filled import Filled, at_input
from handlers.views.place import Place
from handlers.views.view import Drawn, Modal, Opening

REASON = "reason"


def reason_modals() -> tuple[Modal, ...]:
    """Return the dialog of each verb whose button asks for a reason."""
    buttons = [(verb.name, verb.button) for verb in verbs() if verb.button]
    return tuple(_modal(verb, button.reason_dialog) for verb, button in buttons if button.reason_dialog)


def _modal(verb: str, dialog: Callable[[Entry | None], Dialog]) -> Modal:
    return Modal(
        callback_id=action_id(verb),
        action_id=action_id(verb),
        draw=lambda opening: _draw(dialog(_entry(opening))),
        read=lambda filled, place: _read(verb, filled, place),
        instead=f"{verb} POOL reason",
    )


def _entry(opening: Opening) -> Entry | None:
    """Return the rollout of the button, to name it; None if it cannot be read now. Raises StaleError: nobody should
    write a reason for a step that is over.
    """
    rollout = opening.place.rollout()
    try:
        entry = opening.rollouts.find(rollout, opening.place.origin.channel)
    except RolloutBotError:
        return None
    if opening.place.press is not None:
        require_turn(entry.rollout, opening.place.press.turn)
    return entry


def _draw(dialog: Dialog) -> Drawn:
    return {
        "title": {"type": "plain_text", "text": dialog.title},
        "submit": {"type": "plain_text", "text": dialog.yes},
        "close": {"type": "plain_text", "text": "Cancel"},
        "blocks": [
            {
                "type": "section",
                "text": {"type": "mrkdwn", "text": mrkdwn(sentence(dialog.text)), "verbatim": True},
            },
            {
                "type": "input",
                "block_id": REASON,
                "label": {"type": "plain_text", "text": "Why?"},
                "hint": {"type": "plain_text", "text": "Everybody sees it on the card."},
                "element": {
                    "type": "plain_text_input",
                    "action_id": REASON,
                    "multiline": True,
                    "min_length": 1,
                    "max_length": LONGEST_REASON,
                },
            },
        ],
    }


def _read(verb: str, filled: Filled, place: Place) -> Command:
    reason, left_out = cut_reason(filled.words(REASON))
    with at_input(REASON):
        if not reason:
            raise UsageError("Say why in a few words.")
    return Command(verb=verb, subject=place.rollout(), reason=reason, left_out=left_out)
