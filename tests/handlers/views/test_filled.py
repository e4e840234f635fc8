from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.errors import UsageError
from bot.domain.prose import Person, say
from handlers.views.filled import Filled, InputError, at_input, read_filled
from handlers.views.refusal import refusal

SELECT = {"type": "static_select", "selected_option": {"text": {"type": "plain_text", "text": "Quick"}, "value": "q"}}
TYPED = {"type": "plain_text_input", "value": " p99 doubled\n"}
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["why", "value", "selected_option", "values"]), inner, max_size=3)
    ),
    max_leaves=8,
)


def test_inputs_are_read_by_their_block() -> None:
    filled = read_filled({"state": {"values": {"why": {"why": TYPED}, "plan": {"plan": SELECT}}}})
    assert (filled.words("why"), filled.choice("plan")) == ("p99 doubled", "q")
    assert (filled.choice("why"), filled.words("plan"), filled.words("when")) == ("", "", "")


@given(ANYTHING)
def test_whatever_comes_back_is_text_that_can_be_written_down(values: Any) -> None:
    for filled in (Filled(values), Filled({"why": {"why": values}}), read_filled({"state": values})):
        f"{filled.words('why')}{filled.choice('why')}".encode()


def test_half_a_character_becomes_a_question_mark() -> None:
    assert Filled({"why": {"why": {"value": "a\ud800b"}}}).words("why") == "a?b"


def test_a_mistake_keeps_its_words_and_says_its_input() -> None:
    with pytest.raises(InputError) as wrong, at_input("why"):
        raise UsageError("`reject` needs a reason.", hint=say("Ask {}.", Person("U1")))
    assert (wrong.value.block_id, str(wrong.value.prose)) == ("why", "`reject` needs a reason. Ask U1.")


INPUTS = {"blocks": [{"type": "section"}, {"type": "input", "block_id": "why"}, {"type": "input", "block_id": "when"}]}


@pytest.mark.parametrize(
    ("error", "view", "at"),
    [
        (InputError("when", UsageError("No.")), INPUTS, "when"),
        (UsageError("No."), INPUTS, "why"),
        (RuntimeError("No."), INPUTS, "why"),
    ],
)
def test_it_is_said_at_the_input_that_is_wrong_or_the_first_one(error: Exception, view: Any, at: str) -> None:
    assert refusal(error, view, say("No.")) == {"response_action": "errors", "errors": {at: "No."}}


@pytest.mark.parametrize("view", [None, [], {}, {"blocks": {}}, {"blocks": [7, {"type": "input"}]}])
def test_it_is_said_in_place_of_a_form_without_inputs(view: Any) -> None:
    answer = refusal(UsageError("No."), view, say("No."))
    assert answer["response_action"] == "update"
    assert answer["view"]["blocks"] == [{"type": "section", "text": {"type": "plain_text", "text": "No."}}]
