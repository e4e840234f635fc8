"""The card of an operation, its thread, and what Slack takes of both."""

import re
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.agreement import Agreement
from bot.domain.operation import Operation, OperationEvent, OperationEventKind, OperationPhase
from bot.domain.prose import clock, moment, say
from bot.domain.sentences.operations import detail, line
from handlers.buttons import Press
from handlers.cards import Card
from handlers.mrkdwn import mrkdwn
from handlers.operation_card import (
    MOST,
    draw_operation,
    next_events,
    operation_message,
    tells_the_channel,
)
from sandbox.strict_slack.block_kit import faults, texts
from tests.builders import ALICE, BOB, NOON
from tests.handlers.test_limits import MARKUP, names, users, words
from tests.operations import RUNNING, an_operation

UNTIL, SINCE = mrkdwn(say("{}", clock(RUNNING.deadline))), mrkdwn(say("{}", moment(NOON)))
TOMORROW = mrkdwn(say("{}", moment(NOON + timedelta(days=1))))
UNTIL_DAY = mrkdwn(say("{}", moment(RUNNING.deadline)))
AT = mrkdwn(say("{}", clock(NOON)))
ORIGIN = f"<@{ALICE}> started it {SINCE}  ·  o-7f3a2c01  ·  count=3"
COPIED = OperationEvent(kind=OperationEventKind.PROGRESSED, at=NOON, said="Copied 1 & 2.")
DONE = OperationEvent(kind=OperationEventKind.DONE, at=NOON, said="All are there.")


def shown(card: Card) -> list[str]:
    """Return what people read, block by block; a button by its label."""
    return [_text(part) for block in card.blocks for part in block.get("elements", [block])]


def _text(part: dict[str, Any]) -> str:
    text = part["text"]
    return str(text["text"] if isinstance(text, dict) else text)


CARDS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "running": (
        {"progress": ("Copied 1.", "Copied 2."), "reason": "H100 <nodes>"},
        [
            "copy models  ·  running",
            f"It has until {UNTIL}.",
            "• Copied 1.\n• Copied 2.",
            "Cancel",
            f"{ORIGIN}  ·  “H100 &lt;nodes&gt;”",
        ],
    ),
    "running for a day": (
        {"deadline": NOON + timedelta(days=1), "reason": ""},
        [
            "copy models  ·  running",
            f"It has until {TOMORROW}.",
            "Cancel",
            ORIGIN,
        ],
    ),
    "running, and its step cannot be taken": (
        {"trouble": "The API server did not answer.", "attempts": 2},
        [
            "copy models  ·  running",
            f"It has until {UNTIL}.\n⚠️ The API server did not answer. It is tried again.",
            "Cancel",
            ORIGIN,
        ],
    ),
    "asking": (
        {
            "phase": OperationPhase.ASKING,
            "agreement": Agreement(
                lines=("Delete `a`", "Stays: <b>"), digest="x", needed=2, approvals=(BOB,), not_by=ALICE
            ),
        },
        [
            "copy models  ·  wants approval",
            f"*It needs 1 approval* from somebody other than <@{ALICE}> until {UNTIL_DAY}. Then it will:\n"
            "• Delete `a`\n• Stays: &lt;b&gt;",
            "Approve",
            "Cancel",
            ORIGIN,
        ],
    ),
    "cancelling": (
        {"phase": OperationPhase.CANCELLING, "by": BOB},
        [
            "copy models  ·  cancelling",
            f"<@{BOB}> cancelled it. What was done is being taken back, until {UNTIL}.",
            ORIGIN,
        ],
    ),
    "cancelled": (
        {"phase": OperationPhase.CANCELLED},
        ["copy models  ·  cancelled", f"Cancelled {SINCE}. What was done is taken back.", ORIGIN],
    ),
    "done": (
        {"phase": OperationPhase.DONE, "progress": ("All 3 are there.",)},
        ["copy models  ·  done", f"Done {SINCE}.", "• All 3 are there.", ORIGIN],
    ),
    "done, as people agreed": (
        {
            "phase": OperationPhase.DONE,
            "agreement": Agreement(lines=("Delete `a`",), digest="x", needed=1, approvals=(BOB,), not_by=ALICE),
        },
        ["copy models  ·  done", f"Done {SINCE}. <@{BOB}> approved it.", ORIGIN],
    ),
    "failed": (
        {"phase": OperationPhase.FAILED, "why": "No such chart.", "left": "Delete `models-copy-1`."},
        [
            "copy models  ·  failed",
            "⚠️ No such chart.\n*Left to do:* Delete `models-copy-1`.",
            "Clean up",
            ORIGIN,
        ],
    ),
}


@pytest.mark.parametrize("name", list(CARDS))
def test_the_card_says_where_it_stands_until_when_and_what_people_can_do(name: str) -> None:
    changes, read = CARDS[name]
    assert shown(draw_operation(an_operation(**changes), n=1)) == read


def test_cancelling_asks_first_and_carries_only_which_operation() -> None:
    (actions,) = [block for block in draw_operation(RUNNING, n=2).blocks if block["type"] == "actions"]
    (button,) = actions["elements"]
    confirm = button["confirm"]
    assert (button["action_id"], button["value"]) == ("operation_cancel", Press("o-7f3a2c01", 1).dumps())
    assert [confirm[part]["text"] for part in ("title", "text", "confirm", "deny")] == [
        "Cancel it?",
        "copy models: What was done so far is taken back.",
        "Cancel it",
        "Go back",
    ]


def test_approving_asks_first_and_is_good_for_one_question() -> None:
    agreement = Agreement(lines=("copy `models`", "keep the copies"), digest="x", needed=1)
    asking = an_operation(phase=OperationPhase.ASKING, turn=3, agreement=agreement)
    (actions,) = [block for block in draw_operation(asking, n=2).blocks if block["type"] == "actions"]
    button, cancel = actions["elements"]
    confirm = button["confirm"]
    assert (button["action_id"], button["value"]) == ("operation_approve", Press("o-7f3a2c01", 3).dumps())
    assert [confirm[part]["text"] for part in ("title", "text", "confirm", "deny")] == [
        "Approve?",
        "copy models: It will copy models; keep the copies.",
        "Approve",
        "Go back",
    ]
    assert cancel["confirm"]["text"]["text"] == "copy models: Nothing of what is asked was done."


def test_a_screen_reader_hears_the_same() -> None:
    assert draw_operation(an_operation(phase=OperationPhase.FAILED, why="No.", left="Look."), n=1).text == (
        "copy models: failed. ⚠️ No.\nLeft to do: Look."
    )


def test_status_tells_one_in_a_line_or_in_detail() -> None:
    operation = an_operation(progress=("Copied 1.",))
    assert mrkdwn(line(operation)) == "`copy models`  running  ·  o-7f3a2c01  ·  Copied 1."
    assert mrkdwn(detail(operation)) == (f"*copy models*: running  ·  o-7f3a2c01\nIt has until {UNTIL}.\n• Copied 1.")


def test_the_thread_tells_what_happened_and_the_channel_only_the_end() -> None:
    quiet, loud = operation_message([COPIED], RUNNING, first=2), operation_message([COPIED, DONE], RUNNING, first=2)
    assert shown(quiet) == [f"{AT}  Copied 1 &amp; 2."]
    assert shown(loud) == [f"{AT}  Copied 1 &amp; 2.", "`copy models`: *Done*. All are there."]
    assert (loud.text, loud.blocks[0]["block_id"]) == ("copy models: Done. All are there.", "event:o-7f3a2c01:2-3")
    assert [tells_the_channel([COPIED]), tells_the_channel([COPIED, DONE])] == [False, True]


def test_an_event_for_the_whole_channel_ends_a_message() -> None:
    assert next_events([COPIED, DONE, COPIED]) == [COPIED, DONE]
    assert next_events([COPIED] * (MOST + 1)) == [COPIED] * MOST
    assert next_events([]) == []


operations = st.builds(
    an_operation,
    kind=st.sampled_from(["copy", "k" * 60]),
    subject=names,
    parameters=st.dictionaries(st.sampled_from(["count", "every"]), words),
    reason=words,
    started_by=users,
    by=users,
    phase=st.sampled_from(list(OperationPhase)),
    agreement=st.none()
    | st.builds(
        Agreement,
        lines=st.lists(words, max_size=8).map(tuple),
        digest=st.just("x"),
        needed=st.integers(1, 3),
        approvals=st.lists(users, max_size=3, unique=True).map(tuple),
    ),
    progress=st.lists(words, max_size=6).map(tuple),
    trouble=words,
    why=words,
    left=words,
    revision=st.integers(1, 10**6),
)
events = st.builds(
    OperationEvent, kind=st.sampled_from(list(OperationEventKind)), at=st.just(NOON), by=users, said=words
)


@settings(max_examples=150)
@given(operations)
def test_slack_takes_every_card_and_nobodys_words_become_markup(operation: Operation) -> None:
    card = draw_operation(operation, n=3)
    assert faults(card.text, card.blocks) == []
    assert not [text for text in [card.text, *texts(card.blocks[1:])] if re.search(MARKUP, text)]


@settings(max_examples=100)
@given(operations, st.lists(events, min_size=1, max_size=MOST))
def test_slack_takes_every_message_of_the_thread(operation: Operation, happened: list[OperationEvent]) -> None:
    note = operation_message(happened, operation, first=1)
    assert faults(note.text, note.blocks) == []
    assert not [text for text in [note.text, *texts(note.blocks)] if re.search(MARKUP, text)]
