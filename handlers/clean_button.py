"""The button of a finished rollout's card that deletes the old pool, where the policy lets people."""

from typing import Any

from slack_bolt import Ack, App

from bot.domain.commands.request import START, Command, OperationWords
from bot.domain.removal import CLEAN
from bot.domain.rollout import Entry, Phase
from handlers.blocks import Block, plain
from handlers.buttons import Press, read_press
from handlers.clicks import read_click
from handlers.intake import Intake
from handlers.mrkdwn import shorten

CLEAN_ACTION = "operation_clean"


def offer_clean(entry: Entry) -> list[Block]:
    """Draw it while the old pool is there and no route is known to send to it."""
    rollout = entry.rollout
    if rollout.phase is not Phase.FINISHED or not entry.is_applied or entry.left_on_stable:
        return []
    label = "Delete old pool…"  # the dots: the card of `clean` lists what goes, and asks
    spoken = f"{label}: {shorten(rollout.stable.name, 40)}"
    value = Press(rollout.id, rollout.turn).dumps()
    button = {"type": "button", "action_id": CLEAN_ACTION, "text": plain(label), "value": value}
    return [button | {"accessibility_label": spoken}]


def register(app: App, intake: Intake) -> None:
    """Listen to it, as to the words `clean POOL`."""

    @app.action(CLEAN_ACTION)
    def clean(ack: Ack, body: dict[str, Any]) -> None:
        click = read_click(body)
        words = OperationWords(kind=CLEAN)
        intake.hear(
            Command(verb=START, subject=read_press(click.value).id, operation=words),
            by=click.by,
            origin=click.origin,
            delivery=click.delivery,
            reply_to=click.reply_to,
        )
        ack()
