"""Who edited a route: read out of its managedFields. Pure.

The rules of an HTTPRoute are one field to the API server, so the newest manager of ``spec.rules`` is whoever wrote any
weight last. An annotation that was removed leaves no trace: then the hand that wrote after us is named, if one did.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from bot.domain.rollout import Hand
from k8s import owners
from k8s.document import Document

US: Final = "rolloutbot"


def hand(route: Document) -> Hand:
    """Return whose rules the route has where they are not ours, else who touched it last since our last write."""
    others = [each for each in _managers(route) if each.get("manager") != US and not each.get("subresource")]
    found = [each for each in others if _wrote_rules(each)] or _later(others, _our_last(route))
    if not found:
        return Hand()
    last = max(found, key=lambda each: str(each.get("time") or ""))
    manager = str(last.get("manager") or "")
    return Hand(manager=manager, at=_time(last.get("time")), rule=owners.ignore_rule(route, manager))


def _our_last(route: Document) -> str:
    """Return when we last wrote, as text that sorts; after everything where we have left no trace."""
    return max((str(each.get("time") or "") for each in _managers(route) if each.get("manager") == US), default="~")


def _later(entries: Sequence[Mapping[str, Any]], than: str) -> list[Mapping[str, Any]]:
    return [each for each in entries if str(each.get("time") or "") >= than]


def _managers(route: Document) -> Sequence[Mapping[str, Any]]:
    return route["metadata"].get("managedFields") or ()


def _wrote_rules(entry: Mapping[str, Any]) -> bool:
    return "f:rules" in (entry.get("fieldsV1") or {}).get("f:spec", {})


def _time(text: object) -> datetime | None:
    return datetime.fromisoformat(text.replace("Z", "+00:00")) if isinstance(text, str) else None
