"""The card of an operation and its thread: what is being done, how far it is, until when, and how to cancel it."""

from collections.abc import Callable, Sequence
from typing import Any

from bot.domain.operation import Operation, OperationEvent, OperationEventKind, OperationPhase
from bot.domain.waiting import mention
from handlers.buttons import Press
from handlers.cards import Card
from handlers.mrkdwn import WARNING, clean, clock, code, moment, shorten, without_marks

Block = dict[str, Any]

CANCEL_ACTION = "operation_cancel"
MOST = 5
"""Events in one message of the thread; with ``SAID`` they stay below what Slack takes in one text."""

SAID = 500
NAME = 80

_HEADWORDS = {
    OperationPhase.RUNNING: "running",
    OperationPhase.CANCELLING: "cancelling",
    OperationPhase.DONE: "done",
    OperationPhase.FAILED: "failed",
    OperationPhase.CANCELLED: "cancelled",
}
_BROADCAST = frozenset({OperationEventKind.DONE, OperationEventKind.FAILED})
"""Events that the whole channel sees, not only the thread."""


def draw_operation(operation: Operation, *, n: int) -> Card:
    """Draw an operation as it is stored now; ``n`` counts the messages that have been its card."""
    mark = f"card:{operation.id}:{n}.{operation.revision}"
    blocks = [
        _header(mark, f"{shorten(operation.name, 100)}  ·  {headword(operation)}"),
        _section(f"{mark}:state", operation_state(operation)),
        *_progress(f"{mark}:progress", operation),
        *_actions(f"{mark}:do", operation),
        _context(f"{mark}:origin", _origin(operation)),
    ]
    spoken = f"{clean(shorten(operation.name, 100), 100)}: {headword(operation)}. "
    return Card(text=spoken + without_marks(operation_state(operation)), blocks=blocks)


def headword(operation: Operation) -> str:
    """Return where it is, in a word."""
    return _HEADWORDS[operation.phase]


def operation_state(operation: Operation) -> str:
    """Say in a sentence or two where it stands, and what people can do."""
    match operation.phase:
        case OperationPhase.RUNNING:
            return f"It has until {clock(operation.deadline)}.{_trouble(operation)}"
        case OperationPhase.CANCELLING:
            by = f"{mention(operation.by)} cancelled it. " if operation.by else ""
            return f"{by}What was done is being taken back, until {clock(operation.deadline)}.{_trouble(operation)}"
        case OperationPhase.DONE:
            return f"Done {moment(operation.since)}."
        case OperationPhase.CANCELLED:
            return f"Cancelled {moment(operation.since)}. What was done is taken back."
        case OperationPhase.FAILED:
            left = f"\n*Left to do:* {clean(operation.left, 1000)}" if operation.left else ""
            return f"{WARNING} {clean(operation.why, 1500)}{left}"


def operation_line(operation: Operation) -> str:
    """Tell of one of several, for `status`."""
    said = f"  ·  {clean(operation.progress[-1], 200)}" if operation.progress else ""
    return f"{code(operation.name, NAME)}  {headword(operation)}  ·  {operation.id}{said}"


def operation_detail(operation: Operation) -> str:
    """Tell of one operation."""
    said = [f"• {clean(said, 300)}" for said in operation.progress]
    title = f"*{clean(operation.name, NAME)}*: {headword(operation)}  ·  {operation.id}"
    return "\n".join([title, operation_state(operation), *said])


def operation_message(events: Sequence[OperationEvent], operation: Operation, *, first: int) -> Card:
    """Draw one message of the thread; ``first`` is the place of its first event in the stream, from 1."""
    mark = f"event:{operation.id}:{first}-{first + len(events) - 1}"
    loud = tells_the_channel(events)
    head = f"{code(operation.name, NAME)}: {_sentence(events[-1])}" if loud else ""
    lines = "\n".join(f"{clock(event.at)}  {_sentence(event)}" for event in (events[:-1] if loud else events))
    texts = [text for text in (head, lines) if text]
    blocks = [_section(f"{mark}:{at}" if at else mark, text) for at, text in enumerate(texts)]
    return Card(text=texts[0], blocks=blocks)


def tells_the_channel(events: Sequence[OperationEvent]) -> bool:
    """Say whether the whole channel shall see a message: its last event ends the operation."""
    return events[-1].kind in _BROADCAST


def next_events(events: Sequence[OperationEvent]) -> Sequence[OperationEvent]:
    """Return as many of some events as one message tells; what the channel is told ends a message."""
    told = events[:MOST]
    loud = next((at for at, event in enumerate(told) if event.kind in _BROADCAST), None)
    return told if loud is None else told[: loud + 1]


def _trouble(operation: Operation) -> str:
    if not operation.trouble:
        return ""
    return f"\n{WARNING} {clean(operation.trouble, 800)} It is tried again."


def _progress(block_id: str, operation: Operation) -> list[Block]:
    lines = [f"• {clean(said, 300)}" for said in operation.progress]
    return [_section(block_id, "\n".join(lines))] if lines else []


def _actions(block_id: str, operation: Operation) -> list[Block]:
    match operation.phase:
        case OperationPhase.RUNNING:
            return [_button(block_id, operation, "Cancel", "Cancel it?", "What was done so far is taken back.")]
        case OperationPhase.FAILED:
            return [_button(block_id, operation, "Clean up", "Clean up?", "What it has made is taken away.")]
        case _:
            return []


def _button(block_id: str, operation: Operation, label: str, title: str, text: str) -> Block:
    confirm = {
        "title": _plain(title),
        "text": _plain(f"{shorten(operation.name, 100)}: {text}"),
        "confirm": _plain(label if label != "Cancel" else "Cancel it"),
        "deny": _plain("Go back"),
        "style": "danger",
    }
    button = {
        "type": "button",
        "action_id": CANCEL_ACTION,
        "text": _plain(label),
        "value": Press(operation.id, operation.turn).dumps(),
        "accessibility_label": f"{label}: {shorten(operation.name, 60)}",
        "confirm": confirm,
    }
    return {"type": "actions", "block_id": block_id, "elements": [button]}


def _origin(operation: Operation) -> str:
    given = ", ".join(f"{key}={value}" for key, value in operation.parameters.items())
    parts = [
        f"{mention(operation.started_by)} started it {moment(operation.started_at)}",
        operation.id,
        clean(given, 300),
        f"“{clean(operation.reason, 300)}”" if operation.reason else "",
    ]
    return "  ·  ".join(filter(None, parts))


def _sentence(event: OperationEvent) -> str:
    return _SENTENCES[event.kind](event)


def _with(told: str, event: OperationEvent) -> str:
    """Add what a person said, quoted, or what the executor said, which is a sentence already."""
    if not event.said:
        return f"{told}."
    said = clean(event.said, SAID)
    return f"{told}: “{said}”" if event.by else f"{told}. {said}"


_SENTENCES: dict[OperationEventKind, Callable[[OperationEvent], str]] = {
    OperationEventKind.BEGUN: lambda event: _with(f"{mention(event.by)} started it", event),
    OperationEventKind.PROGRESSED: lambda event: clean(event.said, SAID),
    OperationEventKind.DONE: lambda event: _with("*Done*", event),
    OperationEventKind.FAILED: lambda event: _with("*Failed*", event),
    OperationEventKind.CANCELLING: lambda event: _with(f"{mention(event.by)} cancelled it", event),
    OperationEventKind.CANCELLED: lambda event: _with("*Cancelled*, what was done is taken back", event),
}


def _plain(text: str) -> Block:
    return {"type": "plain_text", "text": text, "emoji": False}


def _header(block_id: str, text: str) -> Block:
    return {"type": "header", "block_id": block_id, "text": _plain(text)}


def _section(block_id: str, text: str) -> Block:
    return {"type": "section", "block_id": block_id, "text": _mrkdwn(text), "expand": True}


def _context(block_id: str, text: str) -> Block:
    return {"type": "context", "block_id": block_id, "elements": [_mrkdwn(text)]}


def _mrkdwn(text: str) -> Block:
    return {"type": "mrkdwn", "text": text, "verbatim": True}
