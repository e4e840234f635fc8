"""Who edited a route: read out of its managedFields. Pure.

The rules of an HTTPRoute are one field to the API server, so the newest manager of ``spec.rules`` is whoever wrote any
weight last; who wrote our annotation is known in the same way. One that was removed leaves no trace: then the hand that
wrote after us is named, if one did.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from bot.domain.rollout import Hand
from k8s import owners
from k8s.document import ANNOTATION, Document

US: Final = "rolloutbot"
RULES: Final = ("f:spec", "f:rules")
NOTE: Final = ("f:metadata", "f:annotations", f"f:{ANNOTATION}")


def last_editor(route: Document) -> Hand:
    """Return whose rules or whose note the route has where they are not ours, else who touched it after us."""
    others = [each for each in _managers(route) if each.get("manager") != US and not each.get("subresource")]
    wrote_rules, wrote_note = ([each for each in others if _wrote(each, *path)] for path in (RULES, NOTE))
    found = wrote_rules or wrote_note or _later(others, _our_last(route))
    return _last(route, found) if found else Hand()


def annotation_editor(route: Document) -> Hand | None:
    """Return who put our annotation there, where it was somebody else; None where it was us, or nobody can say."""
    found = [each for each in _managers(route) if _wrote(each, *NOTE)]
    ours = any(each.get("manager") == US for each in found)
    return _last(route, found) if found and not ours else None


def _last(route: Document, found: Sequence[Mapping[str, Any]]) -> Hand:
    last = max(found, key=lambda each: str(each.get("time") or ""))
    manager = str(last.get("manager") or "")
    return Hand(manager=manager, at=_time(last.get("time")), rule=owners.ignore_rule(route, manager))


def _our_last(route: Document) -> str:
    """Return when we last wrote, as text that sorts; after everything where we have left no trace."""
    return max((str(each.get("time") or "") for each in _managers(route) if each.get("manager") == US), default="~")


def _later(entries: Sequence[Mapping[str, Any]], than: str) -> list[Mapping[str, Any]]:
    """Return who wrote later; of those within the same second it cannot be said, and nobody is blamed for nothing."""
    return [each for each in entries if str(each.get("time") or "") > than]


def _managers(route: Document) -> Sequence[Mapping[str, Any]]:
    return route["metadata"].get("managedFields") or ()


def _wrote(entry: Mapping[str, Any], *path: str) -> bool:
    """Say whether a manager's is the field at a path."""
    fields: Mapping[str, Any] = entry.get("fieldsV1") or {}
    for name in path:
        if name not in fields:
            return False
        fields = fields[name]
    return True


def _time(text: object) -> datetime | None:
    return datetime.fromisoformat(text.replace("Z", "+00:00")) if isinstance(text, str) else None
