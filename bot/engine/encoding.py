"""How records are written down: in Redis, in the inbox, and in the route's annotation.

The annotation is ASCII JSON with ``< > &`` escaped, because a JSON Patch ``test`` compares encoded bytes: with any of
them unescaped, no guard on the annotation would ever pass again.
"""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from bot.domain.bounds import is_sound
from bot.domain.commands.origin import Origin, Surface, in_slack
from bot.domain.commands.request import Request
from bot.domain.events import Event
from bot.domain.rollout import Rollout, wanted
from bot.domain.verbs.registry import find_verb

VERSION: Final = 1
LONGEST_ANNOTATION: Final = 32 * 1024
USUAL_LENGTH: Final = 4 * 1024
REMEMBERED: Final = 256
"""So many records, and so many notes, are remembered as they were read; longer ones are read anew each time.

Anybody may write a note: the worst that fit into this take some 10 MB.
"""

_ROLLOUT = TypeAdapter(Rollout)
_REQUEST = TypeAdapter(Request)
_EVENT = TypeAdapter(Event)
_UNSAFE: Final = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\x7f": "\\u007f"}


def rollout_json(rollout: Rollout) -> str:
    """Write a record with its version number."""
    return _ascii({"v": VERSION, "rollout": _ROLLOUT.dump_python(rollout, mode="json")})


def read_rollout(text: str) -> Rollout | None:
    """Read a record; None if the text is none of ours, or has a version that this program does not know."""
    return _read_once(text) if is_usual(text) else _read_rollout(text)


def is_usual(text: str) -> bool:
    """Say whether a text is as short and as plain as what we write."""
    return len(text) <= USUAL_LENGTH and text.isascii()


@lru_cache(REMEMBERED)
def _read_once(text: str) -> Rollout | None:
    """Read a record that is read again and again between two decisions: no click should wait for that."""
    return _read_rollout(text)


def _read_rollout(text: str) -> Rollout | None:
    document = read_document(text)
    return read_record(document.get("rollout")) if document else None


def read_document(text: str) -> Mapping[str, Any] | None:
    """Read what a record or a note is written in; None if the text is neither, or of another version."""
    try:
        document = json.loads(text)
        if "\\ud" in text.lower():  # half a character cannot be written down again
            json.dumps(document, ensure_ascii=False).encode()
    except (ValueError, RecursionError):  # anybody may write an annotation
        return None
    return document if isinstance(document, dict) and document.get("v") == VERSION else None


def read_record(document: object) -> Rollout | None:
    """Read the record itself; None if it is out of bounds."""
    try:
        rollout = _ROLLOUT.validate_python(document)
    except (ValueError, ValidationError, RecursionError, OverflowError):
        return None
    return rollout if is_sound(rollout) else None


def annotation(rollout: Rollout) -> str:
    """Write the annotation, unsigned."""
    return note_text(note_document(rollout))


def note_text(document: Mapping[str, Any]) -> str:
    """Write a note as the API server would."""
    return _ascii(document)


def note_document(rollout: Rollout) -> dict[str, Any]:
    """Return what a note says: first what a person wants to see in kubectl, then the whole record."""
    pairs = [[pair.stable, pair.canary] for pair in wanted(rollout)]
    return {
        "v": VERSION,
        "id": rollout.id,
        "phase": rollout.phase.value,
        "revision": rollout.revision,
        "decision": rollout.decision,
        "route_uid": rollout.route_uid,
        "weights": pairs,
        "rollout": _ROLLOUT.dump_python(rollout, mode="json"),
    }


def request_json(request: Request) -> str:
    """Write a request for the inbox."""
    return _REQUEST.dump_json(request).decode()


def read_request(text: str | bytes) -> Request:
    """Read a request from the inbox. Raises ValueError, also for a verb of a newer version."""
    try:
        document = json.loads(text)
    except RecursionError as error:
        raise ValueError("This is nested too deeply.") from error
    if isinstance(document, dict) and "channel" in document:
        document["origin"] = _origin(str(document.pop("channel")), str(document.get("delivery")))
    request = _REQUEST.validate_python(document)
    if find_verb(request.command.verb) is None:
        raise ValueError(f"This version has no verb `{request.command.verb}`.")
    return request


def _origin(channel: str, delivery: str) -> Origin:
    """Return the origin of a request from a version that saved none: a terminal's delivery began with its name."""
    if delivery.startswith("terminal:"):
        return Origin(surface=Surface.TERMINAL, channel=channel)
    return in_slack(channel)


def event_json(event: Event) -> str:
    """Write one event of the stream."""
    return _EVENT.dump_json(event, exclude_defaults=True).decode()


def read_event(text: str | bytes) -> Event:
    """Read one event of the stream."""
    return _EVENT.validate_json(text)


def _ascii(document: object) -> str:
    text = json.dumps(document, ensure_ascii=True, separators=(",", ":"))
    for character, escape in _UNSAFE.items():
        text = text.replace(character, escape)
    return text
