"""The slash command."""

from typing import Any

from slack_bolt import Ack, App

from bot.domain.commands.grammar import parse
from bot.domain.commands.request import Command
from bot.domain.commands.tokens import words
from bot.operations.registry import Registry
from bot.operations.words import read_operation_words
from handlers.intake import Intake
from handlers.mrkdwn import mrkdwn


def register(app: App, intake: Intake, registry: Registry, *, name: str) -> None:
    """Listen to the slash command ``name``."""

    @app.command(name)
    def rollout(ack: Ack, command: dict[str, Any]) -> None:
        said = intake.hear(
            _read(str(command.get("text") or ""), registry, name),
            by=command["user_id"],
            channel=command["channel_id"],
            delivery=command["trigger_id"],
            reply_to=str(command.get("response_url") or ""),
        )
        ack(text=mrkdwn(said), response_type="ephemeral")


def _read(text: str, registry: Registry, name: str) -> Command:
    """Read a line: about an operation where it is, else about rollouts. Raises UsageError."""
    return read_operation_words(words(text), registry) or parse(text, command=name)
