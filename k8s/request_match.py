"""Which rule of an HTTPRoute takes a request, as the Gateway API has it. Pure.

The most specific match wins, not the first rule: an exact path, then the longest prefix, a method, and the most
headers. Regular expressions match nothing here: their dialect is each implementation's own, and somebody may write one
that takes for ever.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from k8s.document import Document, rules_of

_ALL: Final[Mapping[str, Any]] = {"path": {"type": "PathPrefix", "value": "/"}}
"""What a rule without matches takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request: its headers in lower case, and no query."""

    method: str
    path: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Taker:
    """The rule that takes a request, and the match of it that did."""

    rule: int
    match: Mapping[str, Any]


def taker(route: Document, asked: Asked) -> Taker | None:
    """Return what takes a request; None if this route does not."""
    found = [
        (_rank(match), -index, place)
        for index, rule in enumerate(rules_of(route))
        for place, match in enumerate(rule.get("matches") or (_ALL,))
        if _takes(match, asked)
    ]
    if not found:
        return None
    _, index, place = max(found)
    return Taker(-index, (rules_of(route)[-index].get("matches") or (_ALL,))[place])


def _rank(match: Mapping[str, Any]) -> tuple[bool, int, bool, int]:
    path = match.get("path") or _ALL["path"]
    kind, value = path.get("type") or "PathPrefix", path.get("value") or "/"
    return kind == "Exact", len(value), bool(match.get("method")), len(match.get("headers") or ())


def _takes(match: Mapping[str, Any], asked: Asked) -> bool:
    return (
        _takes_path(match.get("path") or _ALL["path"], asked.path)
        and match.get("method") in (None, "", asked.method)
        and not match.get("queryParams")
        and all(_takes_header(header, asked.headers) for header in match.get("headers") or ())
    )


def _takes_path(path: Mapping[str, Any], asked: str) -> bool:
    kind, value = path.get("type") or "PathPrefix", str(path.get("value") or "/")
    if kind == "Exact":
        return asked == value
    bare = value.rstrip("/")
    return kind == "PathPrefix" and (asked == bare or asked.startswith(f"{bare}/"))


def _takes_header(header: Mapping[str, Any], headers: Mapping[str, str]) -> bool:
    is_exact = (header.get("type") or "Exact") == "Exact"
    return is_exact and headers.get(str(header.get("name")).lower()) == str(header.get("value"))
