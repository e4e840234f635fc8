"""What Slack says about a click: who, where, on what, and where an answer goes."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from bot.domain.commands.origin import Origin, Surface, in_slack

CHOICE = "choice:"
"""How the ids of blocks begin that stand in a private list."""


@dataclass(frozen=True, slots=True)
class Click:
    """A button that was pressed; ``value`` is what the button carries, and ``trigger`` opens one dialog."""

    action: str
    value: object
    by: str
    origin: Origin
    delivery: str
    reply_to: str
    trigger: str


def read_click(body: Mapping[str, Any]) -> Click:
    """Read a block_actions payload."""
    action = body["actions"][0]
    user = body["user"]["id"]
    container, channel = body.get("container") or {}, body.get("channel") or {}
    name = str(action["action_id"])
    marks = (user, action.get("action_ts", ""), name, container.get("message_ts", ""))
    origin = in_slack(str(channel.get("id") or container.get("channel_id") or ""), str(channel.get("name") or ""))
    if str(action.get("block_id") or "").startswith(CHOICE) and origin.surface is Surface.CHANNEL:
        origin = replace(origin, surface=Surface.ANSWER)
    return Click(
        action=name,
        value=action.get("value"),
        by=user,
        origin=origin,
        delivery=str(body.get("trigger_id") or ":".join(map(str, marks))),
        reply_to=str(body.get("response_url") or ""),
        trigger=str(body.get("trigger_id") or ""),
    )
