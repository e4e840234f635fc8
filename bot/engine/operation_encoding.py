"""How operations and their events are written down in Redis."""

import json
from typing import Final

from pydantic import TypeAdapter, ValidationError

from bot.domain.errors import UnreadableError
from bot.domain.operation import Operation, OperationEvent

VERSION: Final = 1

_OPERATION = TypeAdapter(Operation)
_EVENT = TypeAdapter(OperationEvent)


def operation_json(operation: Operation) -> str:
    """Write a record with its version number."""
    return json.dumps({"v": VERSION, "operation": _OPERATION.dump_python(operation, mode="json")})


def read_operation(text: str) -> Operation:
    """Read a record. Raises UnreadableError."""
    try:
        document = json.loads(text)
        if document["v"] == VERSION:
            return _OPERATION.validate_python(document["operation"])
    except (ValueError, KeyError, TypeError, ValidationError) as error:
        raise _unreadable() from error
    raise _unreadable()


def event_json(event: OperationEvent) -> str:
    """Write one event of the stream."""
    return _EVENT.dump_json(event, exclude_defaults=True).decode()


def read_event(text: str) -> OperationEvent:
    """Read one event of the stream."""
    return _EVENT.validate_json(text)


def _unreadable() -> UnreadableError:
    return UnreadableError("The operation was written by another version of the bot.", hint="It is left as it is.")
