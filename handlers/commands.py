"""The slash command."""

from typing import Any

from slack_bolt import Ack, App

from bot.domain.grammar import parse
from handlers.desk import Desk


def register(app: App, desk: Desk, *, name: str) -> None:
    """Listen to the slash command ``name``."""

    @app.command(name)
    def rollout(ack: Ack, command: dict[str, Any]) -> None:
        said = desk.hear(
            parse(str(command.get("text") or ""), command=name),
            by=command["user_id"],
            channel=command["channel_id"],
            delivery=command["trigger_id"],
            reply_to=str(command.get("response_url") or ""),
        )
        ack(text=said, response_type="ephemeral")
