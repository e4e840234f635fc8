"""The slash command."""

from typing import Any

from slack_bolt import Ack, App

from bot.domain.commands.grammar import parse
from handlers.intake import Intake
from handlers.mrkdwn import mrkdwn


def register(app: App, intake: Intake, *, name: str) -> None:
    """Listen to the slash command ``name``."""

    @app.command(name)
    def rollout(ack: Ack, command: dict[str, Any]) -> None:
        said = intake.hear(
            parse(str(command.get("text") or ""), command=name),
            by=command["user_id"],
            channel=command["channel_id"],
            delivery=command["trigger_id"],
            reply_to=str(command.get("response_url") or ""),
        )
        ack(text=mrkdwn(said), response_type="ephemeral")
