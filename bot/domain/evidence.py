"""Where the gates' numbers come from, and how much of them is enough: the policy's section ``evidence``, as a value."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum


class Idle(StrEnum):
    """What gates say while nobody asks either pool."""

    HOLD = "hold"
    PASS = "pass"


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceRules:
    """``prometheus`` is its base URL; empty: there is none, and no gate that needs numbers is on.

    The numbers of at most ``window`` are judged. Those of the first ``settle`` after a change of weights are left out,
    because caches are cold; only answers with 5xx or 4xx count, which no cache causes. What happens within ``forgives``
    is no reason to roll back. ``requests``: so many of them the new pool must have had in the window before a gate
    passes. ``labels`` are what all series of this cluster have.
    """

    prometheus: str = ""
    token_file: str = ""
    ca_file: str = ""
    tenant: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    window: timedelta = timedelta(minutes=10)
    settle: timedelta = timedelta(minutes=1)
    forgives: timedelta = timedelta(minutes=1)
    requests: int = 50
    idle: Idle = Idle.HOLD
