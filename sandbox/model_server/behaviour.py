"""How a model server behaves, which can be changed while it runs."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """Times are in milliseconds, shares from 0 to 1."""

    first_token_ms: float = 30.0
    prompt_token_ms: float = 0.05
    """What each word of the prompt adds to the time to the first token."""
    token_ms: float = 4.0
    spread: float = 0.2
    """Each request is slower or faster by up to this share."""
    fails: float = 0.0
    """The share of requests that are answered with ``status``."""
    status: int = 500
    cuts: float = 0.0
    """The share of streams that end in the middle."""
    healthy: bool = True
    """What it says to a probe; requests are answered all the same."""
    slots: int = 32
    """How many requests run at once; more have to wait."""


def changed(behaviour: Behaviour, change: Mapping[str, Any]) -> Behaviour:
    """Return a behaviour with some values changed. Raises ValueError for a name or a value that does not fit."""
    kinds = {field.name: type(getattr(behaviour, field.name)) for field in fields(behaviour)}
    unknown = sorted(set(change) - set(kinds))
    if unknown:
        raise ValueError(f"There is no {', '.join(unknown)}; there is {', '.join(kinds)}.")
    if not all(isinstance(value, int | float) and value >= 0 for value in change.values()):
        raise ValueError("Every value is a number that is not below 0.")
    return replace(behaviour, **{name: kinds[name](value) for name, value in change.items()})
