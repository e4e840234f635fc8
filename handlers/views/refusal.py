"""The answer to a submission that was not accepted: the form stays open and says why."""

from typing import Any

from bot.domain.prose import Prose
from handlers.outside import part, text
from handlers.views.filled import InputError

LONGEST = 1900


def refusal(error: Exception, view: object, said: Prose | str) -> dict[str, Any]:
    """Say it at the wrong input, else as ``at_first_input`` does."""
    return _at(error.block_id, said) if isinstance(error, InputError) else at_first_input(view, said)


def at_first_input(view: object, said: Prose | str) -> dict[str, Any]:
    """Say it at the first input, or in place of a form without inputs."""
    return _at(_first_input(view), said)


def _at(block_id: str, said: Prose | str) -> dict[str, Any]:
    words = str(said)[:LONGEST]
    if block_id:
        return {"response_action": "errors", "errors": {block_id: words}}
    return {"response_action": "update", "view": _notice(words)}


def _first_input(view: object) -> str:
    blocks = part(view, "blocks")
    inputs = [block for block in blocks if part(block, "type") == "input"] if isinstance(blocks, list) else []
    return text(part(inputs[0], "block_id")) if inputs else ""


def _notice(words: str) -> dict[str, Any]:
    return {
        "type": "modal",
        "title": {"type": "plain_text", "text": "Not done"},
        "close": {"type": "plain_text", "text": "Close"},
        "blocks": [{"type": "section", "text": {"type": "plain_text", "text": words}}],
    }
