"""The slash command: its words open a form, or go to the grammar."""

from collections.abc import Mapping
from typing import Any

from slack_bolt import Ack, App

from bot.domain.commands.grammar import parse
from bot.domain.commands.origin import in_slack
from bot.domain.commands.request import HELP, Command
from bot.domain.commands.tokens import words
from bot.domain.prose import joined
from bot.operations.registry import Registry
from bot.operations.words import help_text as operations_help
from bot.operations.words import read_operation_words
from handlers.intake import Intake
from handlers.mrkdwn import mrkdwn
from handlers.views.modals import Opener
from handlers.views.place import Place
from handlers.views.registry import help_text, opened_by


def register(app: App, intake: Intake, opener: Opener, registry: Registry, *, name: str) -> None:
    """Listen to the slash command ``name``."""

    @app.command(name)
    def rollout(ack: Ack, command: dict[str, Any]) -> None:
        text, place = str(command.get("text") or ""), _place(command)
        by, trigger = command["user_id"], command["trigger_id"]
        if opened := opened_by(text, name):
            modal, typed = opened
            ack()
            opener.open(modal, by=by, place=place, trigger=trigger, typed=typed)
            return
        parsed = _read(text, registry, name)
        said = intake.hear(parsed, by=by, origin=place.origin, delivery=trigger, reply_to=place.reply_to)
        if parsed.verb == HELP:
            said = joined("\n\n", (said, operations_help(registry, name), help_text(name)))
        if said:
            ack(text=mrkdwn(said), response_type="ephemeral")
        else:  # the answer comes when Slack has said who asks
            ack()


def _read(text: str, registry: Registry, name: str) -> Command:
    """Read a line about an operation or a rollout. Raises UsageError."""
    operation = read_operation_words(words(text), registry) if registry.executors else None
    return operation or parse(text, command=name)


def _place(command: Mapping[str, Any]) -> Place:
    origin = in_slack(command["channel_id"], str(command.get("channel_name") or ""))
    return Place(origin=origin, reply_to=str(command.get("response_url") or ""))
