"""The questions of a comparison in its thread: a prompt, two answers side by side, and a button for each opinion."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from slack_bolt import Ack, App

from bot.domain.commands.request import END, Command, vote_words
from bot.domain.comparison import COMPARE, Choice, comparison_in
from bot.domain.errors import UsageError
from bot.domain.operation import Operation, OperationEvent, OperationEventKind
from bot.domain.prose import clock, said, say, visible
from handlers.blocks import Block, actions, plain, section
from handlers.cards import Card
from handlers.clicks import read_click
from handlers.intake import Intake
from handlers.mrkdwn import shorten, spoken
from handlers.private import Private
from handlers.replies import OPINIONS, voted

VOTE_ACTION: Final = "operation_vote_"
LONGEST_PROMPT: Final = 600
LONGEST_FIELD: Final = 2000
LONGEST_ALOUD: Final = 300
_VALUE: Final = re.compile(r"(?P<id>o-[0-9a-f]{8}):(?P<question>[1-9][0-9]?)")


def question_in(event: OperationEvent, operation: Operation) -> int:
    """Return the number of the question that an event puts; 0 if it puts none that is known."""
    if event.kind is not OperationEventKind.QUESTION or operation.kind != COMPARE or not event.said.isdecimal():
        return 0
    number = int(event.said)
    return number if number <= len(comparison_in(operation).questions) else 0


def draw_question(mark: str, operation: Operation, number: int, at: datetime) -> Card:
    """Draw one question, which are counted from 1; ``at`` says when it was put."""
    comparison = comparison_in(operation)
    question = comparison.questions[number - 1]
    title = say("{}  *Question {} of {}:* which answer is better?", clock(at), number, len(comparison.questions))
    prompt, answers = said(question.prompt, LONGEST_PROMPT), question.shown
    blocks = [
        section(mark, say("{}\n“{}”", title, prompt)),
        _side_by_side(f"{mark}:answers", answers),
        *actions(f"{mark}:do", [_button(operation, number, choice) for choice in Choice]),
    ]
    first, second = (shorten(answer, LONGEST_ALOUD) for answer in answers)
    return Card(text=spoken(say("{} “{}” A: {} B: {}", title, prompt, first, second)), blocks=blocks)


def register(app: App, intake: Intake, private: Private) -> None:
    """Listen to the buttons. Only the voter is told that the vote counts; the card says how many have voted."""

    @app.action(re.compile(rf"\A{VOTE_ACTION}(?:{'|'.join(Choice)})\Z"))
    def vote(ack: Ack, body: dict[str, Any]) -> None:
        click = read_click(body)
        choice = Choice(click.action.removeprefix(VOTE_ACTION))
        operation, number = read_value(click.value)
        intake.hear(
            Command(verb=END, subject=operation, operation=vote_words(number, choice)),
            by=click.by,
            origin=click.origin,
            delivery=click.delivery,
            reply_to=click.reply_to,
        )
        ack()
        private.say(click.reply_to, voted(number, choice))


def read_value(value: object) -> tuple[str, int]:
    """Read what a button carries: the operation's id and the question's number. Raises UsageError."""
    found = _VALUE.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise UsageError("I cannot read this button.", hint="Use the newest message of the thread.")
    return found["id"], int(found["question"])


def _side_by_side(block_id: str, answers: Sequence[str]) -> Block:
    """Draw answers as plain text: whatever a model writes, it mentions nobody and links nowhere."""
    texts = (f"{letter}:\n{answer}" for letter, answer in zip("AB", answers, strict=True))
    return {"type": "section", "block_id": block_id, "fields": [plain(_fitting(text)) for text in texts]}


def _fitting(text: str) -> str:
    """Cut a text to what Slack takes, which counts an emoji as two, and leave out what nobody sees."""
    seen = visible(text).encode("utf-16-le", "replace")[: 2 * LONGEST_FIELD]
    return seen.decode("utf-16-le", "ignore")


def _button(operation: Operation, number: int, choice: Choice) -> Block:
    return {
        "type": "button",
        "action_id": f"{VOTE_ACTION}{choice}",
        "text": plain(OPINIONS[choice]),
        "value": f"{operation.id}:{number}",
        "accessibility_label": f"Question {number}: {OPINIONS[choice]}",
    }
