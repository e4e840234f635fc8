"""Who edited a route, from its managedFields. Pure.

To the API server the rules of an HTTPRoute are one field, so the newest manager of ``spec.rules`` is whoever last wrote
any weight; the same goes for our annotation. A removed annotation leaves no trace: then we name whoever wrote after us.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from bot.domain.prose import one_line
from bot.domain.rollout import Hand
from k8s import owners
from k8s.document import ANNOTATION, FIELD_MANAGER, Document

RULES: Final = ("f:spec", "f:rules")
NOTE: Final = ("f:metadata", "f:annotations", f"f:{ANNOTATION}")


def last_editor(route: Document) -> Hand:
    """Return who wrote the rules or the note if it was not us, else who touched the route after us."""
    others = [each for each in _managers(route) if each.get("manager") != FIELD_MANAGER and not each.get("subresource")]
    wrote_rules, wrote_note = ([each for each in others if _wrote(each, *path)] for path in (RULES, NOTE))
    found = wrote_rules or wrote_note or _later(others, _our_last(route))
    return _last(route, found) if found else Hand()


def annotation_editor(route: Document) -> Hand | None:
    """Return who put our annotation there, if it was somebody else; None if it was us, or is unknown."""
    found = [each for each in _managers(route) if _wrote(each, *NOTE)]
    ours = any(each.get("manager") == FIELD_MANAGER for each in found)
    return _last(route, found) if found and not ours else None


def _last(route: Document, found: Sequence[Mapping[str, Any]]) -> Hand:
    last = max(found, key=lambda each: str(each.get("time") or ""))
    manager = one_line(str(last.get("manager") or "").replace("`", "")).strip()
    return Hand(manager=manager, at=_time(last.get("time")), rule=owners.ignore_rule(route, manager))


def _our_last(route: Document) -> str:
    """Return when we last wrote, as text that sorts; later than everything if we left no trace."""
    return max(
        (str(each.get("time") or "") for each in _managers(route) if each.get("manager") == FIELD_MANAGER), default="~"
    )


def _later(entries: Sequence[Mapping[str, Any]], than: str) -> list[Mapping[str, Any]]:
    """Return who wrote later; within the same second the order is unknown, so nobody is blamed."""
    return [each for each in entries if str(each.get("time") or "") > than]


def _managers(route: Document) -> Sequence[Mapping[str, Any]]:
    return route["metadata"].get("managedFields") or ()


def _wrote(entry: Mapping[str, Any], *path: str) -> bool:
    """Say whether a manager owns the field at a path."""
    fields: Mapping[str, Any] = entry.get("fieldsV1") or {}
    for name in path:
        if name not in fields:
            return False
        fields = fields[name]
    return True


def _time(text: object) -> datetime | None:
    return datetime.fromisoformat(text.replace("Z", "+00:00")) if isinstance(text, str) else None
