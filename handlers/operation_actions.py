"""The button of an operation's card: it cancels, or cleans up after a failure."""

from typing import Any

from slack_bolt import Ack, App

from bot.domain.commands.request import END, Command, OperationWords
from handlers.buttons import read_press
from handlers.clicks import read_click
from handlers.intake import Intake
from handlers.operation_card import CANCEL_ACTION


def register(app: App, intake: Intake) -> None:
    """Listen to the button; the card shows the result."""

    @app.action(CANCEL_ACTION)
    def cancel(ack: Ack, body: dict[str, Any]) -> None:
        click = read_click(body)
        press = read_press(click.value)
        intake.hear(
            Command(verb=END, subject=press.id, operation=OperationWords()),
            by=click.by,
            origin=click.origin,
            delivery=click.delivery,
            reply_to=click.reply_to,
            turn=press.turn,
        )
        ack()
