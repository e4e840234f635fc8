"""The button of a finished deployment's card that starts the rollout to the new pool."""

from typing import Any

from slack_bolt import Ack, App

from bot.domain.commands.grammar import parse
from bot.domain.commands.request import START
from bot.domain.errors import UsageError
from bot.domain.operation import Operation, OperationPhase
from handlers.blocks import Block, plain
from handlers.clicks import read_click
from handlers.intake import Intake
from handlers.mrkdwn import shorten

START_ACTION = "operation_start"
DEPLOY = "deploy"


def offer_start(operation: Operation) -> list[Block]:
    """Draw it once the new pool can take traffic. It carries what people would type."""
    if operation.kind != DEPLOY or operation.phase is not OperationPhase.DONE:
        return []
    pool, weight, namespace = operation.subject, operation.parameters["weight"], operation.state["old"][0]
    dialog = {
        "title": plain("Start the rollout?"),
        "text": plain(f"{shorten(pool, 100)} gets {weight} % of the requests."),
        "confirm": plain("Start"),
        "deny": plain("Go back"),
    }
    return [
        {
            "type": "button",
            "action_id": START_ACTION,
            "text": plain(f"Start at {weight} %"),
            "value": f"{START} {pool} {weight} namespace={namespace}",
            "accessibility_label": f"Start at {weight} %: {shorten(pool, 50)}",
            "style": "primary",
            "confirm": dialog,
        }
    ]


def register(app: App, intake: Intake) -> None:
    """Listen to it, as to the same words typed."""

    @app.action(START_ACTION)
    def start(ack: Ack, body: dict[str, Any]) -> None:
        click = read_click(body)
        command = parse(str(click.value))
        if command.verb != START:
            raise UsageError("I cannot read this button.", hint="Type `start POOL WEIGHT`.")
        intake.hear(command, by=click.by, origin=click.origin, delivery=click.delivery, reply_to=click.reply_to)
        ack()
