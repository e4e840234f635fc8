"""Where a view was opened, which Slack keeps for us in its private_metadata."""

import json
from dataclasses import dataclass

from bot.domain.commands.origin import Origin, Surface, in_slack
from bot.domain.errors import UsageError
from handlers.buttons import Press, press_of
from handlers.outside import part, read_json, text

LONGEST = 3000
"""Slack accepts no more characters."""

_IN_SLACK = {surface.value: surface for surface in Surface if surface is not Surface.TERMINAL}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a view was opened: its origin, where a private answer goes, and the button of a rollout that opened it."""

    origin: Origin
    reply_to: str = ""
    press: Press | None = None

    def rollout(self) -> str:
        """Return the id of the rollout whose button opened the view. Raises UsageError if none did."""
        if self.press is None:
            raise UsageError("I cannot read this button.", hint="Use the newest card of the rollout.")
        return self.press.id

    def dumps(self) -> str:
        """Write it as private_metadata."""
        press = {"id": self.press.id, "turn": self.press.turn} if self.press else {}
        where = {"surface": self.origin.surface.value, "channel": self.origin.channel, "reply_to": self.reply_to}
        return json.dumps(press | where, separators=(",", ":"))


def read_place(metadata: object) -> Place:
    """Read private_metadata. Raises UsageError if it is not ours."""
    document = read_json(metadata, LONGEST)
    if not isinstance(document, dict):
        raise unreadable()
    return Place(
        origin=_origin(document),
        reply_to=text(document.get("reply_to")),
        press=press_of(document) if document.keys() & {"id", "turn"} else None,
    )


def unreadable() -> UsageError:
    """Return the error for a submitted form that is not ours."""
    return UsageError("I cannot read this form.", hint="Close it and open it again.")


def _origin(document: object) -> Origin:
    """Read the origin, which is always in Slack: a terminal has other rights, and opens no view."""
    surface, channel = part(document, "surface"), text(part(document, "channel"))
    if surface is None:  # opened by the version before
        return in_slack(channel)
    origin = Origin(surface=_IN_SLACK.get(text(surface), Surface.TERMINAL), channel=channel)
    needs_channel = origin.surface in (Surface.CHANNEL, Surface.ANSWER)
    if origin.surface is Surface.TERMINAL or (needs_channel and not channel):
        raise unreadable()
    return origin
