"""The Block Kit blocks that our messages use."""

from typing import Any

from bot.domain.prose import Prose
from handlers.mrkdwn import mrkdwn

Block = dict[str, Any]


def header(block_id: str, text: str) -> Block:
    """Draw a title, which has no markup."""
    return {"type": "header", "block_id": block_id, "text": plain(text)}


def section(block_id: str, text: Prose) -> Block:
    """Draw text in full size."""
    return {"type": "section", "block_id": block_id, "text": _marked(text), "expand": True}


def context(block_id: str, text: Prose) -> Block:
    """Draw small text below the rest."""
    return {"type": "context", "block_id": block_id, "elements": [_marked(text)]}


def actions(block_id: str, elements: list[Block]) -> list[Block]:
    """Draw a row of buttons; nothing if there are none."""
    return [{"type": "actions", "block_id": block_id, "elements": elements}] if elements else []


def plain(text: str) -> Block:
    """Draw text that is shown as it is."""
    return {"type": "plain_text", "text": text, "emoji": False}


def _marked(text: Prose) -> Block:
    return {"type": "mrkdwn", "text": mrkdwn(text), "verbatim": True}
