"""Reads what comes from outside, which may be anything: whatever is malformed counts as missing."""

import json
from collections.abc import Mapping


def read_json(text: object, longest: int) -> object:
    """Read JSON; None if it is not JSON, or longer than Slack allows."""
    try:
        return json.loads(text) if isinstance(text, str) and len(text) <= longest else None
    except (ValueError, RecursionError):
        return None


def part(value: object, key: str) -> object:
    """Return the value under a key of a mapping; None if it is missing, or there is no mapping."""
    return value.get(key) if isinstance(value, Mapping) else None


def text(value: object) -> str:
    """Return text that can be stored again; empty if it is not such a text."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""
