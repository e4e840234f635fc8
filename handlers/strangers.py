"""Commands, buttons and dialogs that nobody here listens to: another install of the app may, or another version."""

import re
from typing import Any

from slack_bolt import Ack, App

from bot.domain.prose import Code, say
from handlers.mrkdwn import mrkdwn
from handlers.private import Private
from handlers.views.refusal import at_first_input

ANY = re.compile(r"")


def register(app: App, private: Private, *, name: str) -> None:
    """Answer what no listener before has taken; ``name`` is our slash command."""

    @app.command(ANY)
    def typed(ack: Ack, command: dict[str, Any]) -> None:
        said = say(
            "I listen to {}, not to {}. Another install of this Slack app may: type it again. Each install needs an "
            "app of its own.",
            Code(name),
            Code(str(command["command"])[:40]),
        )
        ack(text=mrkdwn(said), response_type="ephemeral")

    @app.action(ANY)
    def pressed(ack: Ack, body: dict[str, Any]) -> None:
        ack()
        said = say(
            "I do not know this button. Another install or another version of the bot may have drawn it: press it "
            "again, or use the newest card."
        )
        private.say(str(body.get("response_url") or ""), said)

    @app.view(ANY)
    def sent(ack: Ack, body: dict[str, Any]) -> None:
        said = say(
            "I do not know this dialog. Another install or another version of the bot may have opened it: send it "
            "again, or use the newest card."
        )
        ack(**at_first_input(body["view"], said))
