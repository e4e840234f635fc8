"""How long requests of an HTTPRoute may take, by its rules' timeouts. Pure."""

import re
from datetime import timedelta
from typing import Final

from k8s.document import Document, rules_of

_PART: Final = re.compile(r"(\d+)(h|ms|m|s)")
_UNITS: Final = {"h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}


def longest_timeout(route: Document) -> timedelta | None:
    """Return the longest timeout of a request; None if a rule has none, so that a request may take any time."""
    limits = [_limit(rule.get("timeouts") or {}) for rule in rules_of(route)]
    known = [limit for limit in limits if limit is not None]
    return max(known) if known and len(known) == len(limits) else None


def _limit(timeouts: Document) -> timedelta | None:
    limits = [_read(timeouts[name]) for name in ("request", "backendRequest") if timeouts.get(name)]
    known = [limit for limit in limits if limit]
    return min(known, default=None)


def _read(duration: str) -> timedelta:
    """Read a duration of the Gateway API, such as `1h30m`; `0s` means that there is no limit."""
    return timedelta(milliseconds=sum(int(count) * _UNITS[unit] for count, unit in _PART.findall(duration)))
