"""The button of a finished deployment's card that starts the rollout to the new pool."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

from pydantic import Field, StringConstraints, TypeAdapter, ValidationError
from slack_bolt import Ack, App

from bot.domain.commands.request import START, Command, StartWords
from bot.domain.deployment import DEPLOY
from bot.domain.errors import StaleError, UsageError
from bot.domain.operation import Operation, OperationPhase
from handlers.blocks import Block, plain
from handlers.clicks import read_click
from handlers.intake import Intake
from handlers.mrkdwn import shorten
from handlers.outside import read_json

START_ACTION: Final = "operation_start"
GOOD_FOR: Final = timedelta(hours=24)
"""An older card does not start anything: the pool may have been tried, and rolled back, since."""

Name = Annotated[str, StringConstraints(pattern=r"\A[a-z0-9.-]{1,253}\z")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What the button carries: from which pool to which, with which first weight in percent, and since when."""

    new: Name
    old: Name
    namespace: Name
    weight: Annotated[int, Field(ge=1, le=100)]
    at: datetime


_OFFER: Final = TypeAdapter(Offer)


def offer_start(operation: Operation) -> list[Block]:
    """Draw it once the new pool can take traffic."""
    offer = _offer_of(operation)
    if offer is None:
        return []
    dialog = {
        "title": plain("Start the rollout?"),
        "text": plain(f"{shorten(offer.new, 100)} gets {offer.weight} % of what {shorten(offer.old, 100)} gets now."),
        "confirm": plain("Start"),
        "deny": plain("Go back"),
    }
    return [
        {
            "type": "button",
            "action_id": START_ACTION,
            "text": plain(f"Start at {offer.weight} %"),
            "value": _OFFER.dump_json(offer).decode(),
            "accessibility_label": f"Start at {offer.weight} %: {shorten(offer.new, 50)}",
            "style": "primary",
            "confirm": dialog,
        }
    ]


def register(app: App, intake: Intake) -> None:
    """Listen to it, as to a start that is typed."""

    @app.action(START_ACTION)
    def start(ack: Ack, body: dict[str, Any]) -> None:
        click = read_click(body)
        command = read_offer(click.value, datetime.now(UTC))
        intake.hear(command, by=click.by, origin=click.origin, delivery=click.delivery, reply_to=click.reply_to)
        ack()


def read_offer(value: object, now: datetime) -> Command:
    """Return the start that a button offers. Raises UserError if it is none, or too old."""
    try:
        offer = _OFFER.validate_python(read_json(value, 2000))
    except ValidationError:
        raise UsageError("I cannot read this button.", hint="Type `start POOL WEIGHT`.") from None
    if offer.at.tzinfo is None or now - offer.at > GOOD_FOR:
        again = f"Type `start {offer.new} {offer.weight}` if you mean it."
        raise StaleError("This offer is more than a day old, so nothing was started.", hint=again)
    words = StartWords(weight=offer.weight, stable=offer.old, namespace=offer.namespace)
    return Command(verb=START, subject=offer.new, start=words)


def _offer_of(operation: Operation) -> Offer | None:
    if operation.kind != DEPLOY or operation.phase is not OperationPhase.DONE:
        return None
    state, weight = operation.state, operation.parameters.get("weight", "")
    match state.get("old"):
        case [namespace, old] if weight.isdecimal():
            return Offer(
                new=operation.subject, old=old, namespace=namespace, weight=int(weight), at=operation.decided_at
            )
        case _:
            return None
