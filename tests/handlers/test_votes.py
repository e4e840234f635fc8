"""The questions of a comparison: what Slack shows, and what the buttons say."""

from dataclasses import replace

import pytest

from bot.domain.commands.request import END, Command, vote_words
from bot.domain.comparison import Comparison, Question
from bot.domain.errors import UsageError
from bot.domain.operation import OperationEvent, OperationEventKind
from handlers.operation_card import draw_operation, next_events, operation_message, tells_the_channel
from handlers.replies import accepted
from handlers.votes import read_value
from sandbox.strict_slack.block_kit import faults
from tests.bot.domain.test_comparison import after, asking
from tests.builders import ALICE, BOB, NOON

PUT = OperationEvent(kind=OperationEventKind.QUESTION, at=NOON, said="2")
SAID = OperationEvent(kind=OperationEventKind.PROGRESSED, at=NOON, said="Both pools answered.")


def test_a_question_shows_both_answers_without_saying_whose_they_are() -> None:
    card = operation_message([PUT], asking(), first=3)
    title, answers, buttons = card.blocks
    assert title["text"]["text"].endswith("  *Question 2 of 2:* which answer is better?\n“When?”")
    assert [field["text"] for field in answers["fields"]] == ["A:\nNow.", "B:\nNever."]
    assert [(each["text"]["text"], each["action_id"], each["value"]) for each in buttons["elements"]] == [
        ("A is better", "operation_vote_a", "o-7f3a2c01:2"),
        ("B is better", "operation_vote_b", "o-7f3a2c01:2"),
        ("The same", "operation_vote_same", "o-7f3a2c01:2"),
    ]
    assert title["block_id"] == "event:o-7f3a2c01:3-3"
    assert faults(card.text, card.blocks) == []


def test_whatever_a_model_writes_is_shown_as_it_is_and_fits() -> None:
    loud = Question(prompt="<!channel> *hi* " * 200, new="<!here> <@U1> ```" * 300, old="é" * 1500, new_is_a=True)
    card = operation_message([replace(PUT, said="1")], asking(Comparison().asking([loud])), first=1)
    assert faults(card.text, card.blocks) == []
    assert {field["type"] for field in card.blocks[1]["fields"]} == {"plain_text"}
    assert (
        faults(
            card.text,
            operation_message(
                [replace(PUT, said="1")], asking(Comparison().asking([replace(loud, new="🚀" * 1500)])), first=1
            ).blocks,
        )
        == []
    )
    assert "<!channel>" not in card.blocks[0]["text"]["text"] + card.text


def test_the_channel_hears_of_the_first_question() -> None:
    assert [tells_the_channel([replace(PUT, said=number)]) for number in ("1", "2")] == [True, False]


def test_a_question_is_a_message_of_its_own() -> None:
    assert next_events([SAID, PUT, PUT, SAID]) == [SAID]
    assert next_events([PUT, PUT, SAID]) == [PUT]


def test_the_card_counts_who_has_voted_and_not_for_whom() -> None:
    votes = [("1:a", ALICE), ("2:a", ALICE), ("1:b", BOB)]
    card = draw_operation(after(*votes), n=1)
    texts = [block["text"]["text"] for block in card.blocks if block["type"] == "section"]
    assert texts[0].startswith("*Which answers are better?* Vote in the thread until ")
    assert texts[1] == "*Votes:* 1 of 2 people have answered every question, and 1 more has answered some."
    assert card.blocks[0]["text"]["text"] == "compare models  ·  wants votes"
    assert faults(card.text, card.blocks) == []


@pytest.mark.parametrize("value", [None, "", "o-7f3a2c01", "o-7f3a2c01:0", "o-7f3a2c01:100", "r-1:1", 3, {"id": "x"}])
def test_a_value_that_is_not_ours_is_refused(value: object) -> None:
    with pytest.raises(UsageError, match="I cannot read this button"):
        read_value(value)


def test_a_value_is_read_as_it_was_written() -> None:
    assert read_value("o-7f3a2c01:10") == ("o-7f3a2c01", 10)


def test_a_vote_in_words_is_acknowledged_as_one_by_a_button() -> None:
    words = Command(verb=END, subject="o-7f3a2c01", operation=vote_words(2, "same"))
    assert str(accepted(words)) == "Your vote on question 2: The same. I'll tell you if it doesn't count."
