"""The buttons of an operation's card: one approves, one cancels or cleans up after a failure."""

from collections.abc import Mapping
from typing import Any

from slack_bolt import Ack, App

from bot.domain.commands.request import END, Command, OperationWords
from handlers.buttons import read_press
from handlers.clicks import read_click
from handlers.intake import Intake
from handlers.operation_card import APPROVE_ACTION, CANCEL_ACTION


def register(app: App, intake: Intake) -> None:
    """Listen to the buttons; the card shows the result."""

    @app.action(CANCEL_ACTION)
    def cancel(ack: Ack, body: dict[str, Any]) -> None:
        _hear(intake, body, OperationWords())
        ack()

    @app.action(APPROVE_ACTION)
    def approve(ack: Ack, body: dict[str, Any]) -> None:
        _hear(intake, body, OperationWords(approves=True))
        ack()


def _hear(intake: Intake, body: Mapping[str, Any], words: OperationWords) -> None:
    click = read_click(body)
    press = read_press(click.value)
    intake.hear(
        Command(verb=END, subject=press.id, operation=words),
        by=click.by,
        origin=click.origin,
        delivery=click.delivery,
        reply_to=click.reply_to,
        turn=press.turn,
    )
