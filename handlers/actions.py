"""Buttons that act at once. Those that open a form first are in handlers/views/."""

import re
from typing import Any

from slack_bolt import Ack, App

from bot.domain.commands.request import Command
from bot.domain.prose import Prose
from bot.domain.verbs.registry import verbs
from handlers.buttons import action_id, read_press
from handlers.clicks import Click, read_click
from handlers.intake import Intake
from handlers.private import Private


def register(app: App, intake: Intake, private: Private) -> None:
    """Listen to every button that a card can have, in one listener: Bolt tries its listeners one after the other."""
    buttons = {action_id(verb.name): verb for verb in verbs() if verb.button and not verb.button.reason_dialog}

    @app.action(re.compile(rf"\A({'|'.join(map(re.escape, buttons))})\Z"))
    def pressed(ack: Ack, body: dict[str, Any]) -> None:
        click = read_click(body)
        verb = buttons[click.action]
        said = _hear(intake, verb.name, click)
        ack()
        if verb.asks:  # Slack does not show what the acknowledgement of a click says
            private.say(click.reply_to, said)


def _hear(intake: Intake, verb: str, click: Click) -> Prose:
    press = read_press(click.value)
    return intake.hear(
        Command(verb=verb, subject=press.id),
        by=click.by,
        origin=click.origin,
        delivery=click.delivery,
        reply_to=click.reply_to,
        turn=press.turn,
    )
