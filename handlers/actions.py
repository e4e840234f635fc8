"""Buttons that act at once. Those that open a form first are in handlers/views/."""

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
    """Listen to every button that a card can have."""
    for verb in verbs():
        if verb.button is None or verb.button.reason_dialog is not None:
            continue
        if verb.asks:
            _answer(app, verb.name, intake, private)
        else:
            _take(app, verb.name, intake)


def _take(app: App, verb: str, intake: Intake) -> None:
    """Carry out a button's verb; the card shows the result."""

    @app.action(action_id(verb))
    def pressed(ack: Ack, body: dict[str, Any]) -> None:
        _hear(intake, verb, read_click(body))
        ack()


def _answer(app: App, verb: str, intake: Intake, private: Private) -> None:
    """Answer a button in private: Slack does not show what its acknowledgement says."""

    @app.action(action_id(verb))
    def asked(ack: Ack, body: dict[str, Any]) -> None:
        click = read_click(body)
        said = _hear(intake, verb, click)
        ack()
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
