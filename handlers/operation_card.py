"""The card of an operation and its thread: what it does, how far it is, by when it must end, and how to cancel it."""

from collections.abc import Sequence

from bot.domain.comparison import comparison_in, is_open
from bot.domain.operation import Operation, OperationEvent, OperationEventKind, OperationPhase
from bot.domain.prose import clock, joined, say, sentence, short
from bot.domain.sentences.comparison import of_votes
from bot.domain.sentences.operations import headword, origin, progress, state, told
from handlers.blocks import Block, actions, context, header, plain, section
from handlers.buttons import Press
from handlers.cards import Card
from handlers.mrkdwn import shorten, spoken
from handlers.start_button import offer_start
from handlers.votes import draw_question, question_in

CANCEL_ACTION = "operation_cancel"
APPROVE_ACTION = "operation_approve"
MOST = 5
"""Events in one message of the thread; with their longest texts they still fit into one text of Slack's."""

_BROADCAST = frozenset({OperationEventKind.ASKED, OperationEventKind.DONE, OperationEventKind.FAILED})
"""Events that the whole channel sees, not only the thread."""


def draw_operation(operation: Operation, *, n: int) -> Card:
    """Draw an operation as it is stored now; ``n`` counts the messages that have been its card."""
    mark = f"card:{operation.id}:{n}.{operation.revision}"
    shown = progress(operation)
    blocks = [
        header(mark, f"{shorten(operation.name, 100)}  ·  {headword(operation)}"),
        section(f"{mark}:state", state(operation)),
        *([section(f"{mark}:progress", shown)] if shown else []),
        *([section(f"{mark}:votes", of_votes(comparison_in(operation)))] if is_open(operation) else []),
        *actions(f"{mark}:do", [*_buttons(operation), *offer_start(operation)]),
        context(f"{mark}:origin", origin(operation)),
    ]
    aloud = say("`{}`: {}. {}", operation.name, headword(operation), state(operation))
    return Card(text=spoken(aloud), blocks=blocks)


def operation_message(events: Sequence[OperationEvent], operation: Operation, *, first: int) -> Card:
    """Draw one message of the thread; ``first`` is the place of its first event in the stream, from 1."""
    mark = f"event:{operation.id}:{first}-{first + len(events) - 1}"
    if number := question_in(events[-1], operation):
        return draw_question(mark, operation, number, events[-1].at)
    loud = tells_the_channel(events)
    head = [say("`{}`: {}", operation.name, told(events[-1]))] if loud else []
    quiet = events[:-1] if loud else events
    texts = [joined("\n", (say("{}  {}", clock(event.at), told(event)) for event in quiet)), *head]
    blocks = [section(f"{mark}:{at}" if at else mark, text) for at, text in enumerate(filter(None, texts))]
    return Card(text=spoken(texts[-1]), blocks=blocks)


def tells_the_channel(events: Sequence[OperationEvent]) -> bool:
    """Say whether the whole channel sees a message: its last event ends the operation, or asks people."""
    last = events[-1]
    return last.kind in _BROADCAST or (last.kind is OperationEventKind.QUESTION and last.said == "1")


def next_events(events: Sequence[OperationEvent]) -> Sequence[OperationEvent]:
    """Return as many events as one message tells; one for the whole channel ends a message, a question is one."""
    shown = events[:MOST]
    asked = next((at for at, event in enumerate(shown) if event.kind is OperationEventKind.QUESTION), None)
    if asked is not None:
        shown = shown[: asked or 1]
    loud = next((at for at, event in enumerate(shown) if event.kind in _BROADCAST), None)
    return shown if loud is None else shown[: loud + 1]


def _buttons(operation: Operation) -> list[Block]:
    match operation.phase:
        case OperationPhase.RUNNING:
            return [_cancel(operation, "Cancel", "Cancel it?", "What was done so far is taken back.")]
        case OperationPhase.ASKING:
            approve = _button(operation, APPROVE_ACTION, "Approve", "Approve?", _agreed_to(operation), "primary")
            return [approve, _cancel(operation, "Cancel", "Cancel it?", "Nothing of what is asked was done.")]
        case OperationPhase.FAILED:
            return [_cancel(operation, "Clean up", "Clean up?", "What it has made is taken away.")]
        case _:
            return []


def _agreed_to(operation: Operation) -> str:
    """Say what an approval means, as much of it as a dialog has room for; the card has it all."""
    lines = operation.agreement.lines if operation.agreement else ()
    return spoken(say("It will {}.", short(joined("; ", map(sentence, lines)), 150)))


def _cancel(operation: Operation, label: str, title: str, text: str) -> Block:
    return _button(operation, CANCEL_ACTION, label, title, text, "danger")


def _button(operation: Operation, action: str, label: str, title: str, text: str, style: str) -> Block:
    confirm = {
        "title": plain(title),
        "text": plain(f"{shorten(operation.name, 100)}: {text}"),
        "confirm": plain(title.removesuffix("?")),
        "deny": plain("Go back"),
        "style": style,
    }
    return {
        "type": "button",
        "action_id": action,
        "text": plain(label),
        "value": Press(operation.id, operation.turn).dumps(),
        "accessibility_label": f"{label}: {shorten(operation.name, 60)}",
        "confirm": confirm,
    }
