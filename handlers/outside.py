"""Reads what comes back from outside, in which anything may be: what is not as it should be is nothing."""

import json
from collections.abc import Mapping


def read_json(text: object, longest: int) -> object:
    """Read JSON; None where it is none, or longer than Slack lets it be."""
    try:
        return json.loads(text) if isinstance(text, str) and len(text) <= longest else None
    except (ValueError, RecursionError):
        return None


def part(value: object, key: str) -> object:
    """Return what a mapping has under a key; None where that is missing, or no mapping."""
    return value.get(key) if isinstance(value, Mapping) else None


def text(value: object) -> str:
    """Return text that can be written down again; empty where it is none."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""
