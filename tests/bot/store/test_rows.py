"""Rows that the bot did not write, or not in this version: each counts as unreadable, and hides no other."""

import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.errors import UnreadableError
from bot.engine.encoding import rollout_json
from bot.store.rows import FIELDS, entry_of
from tests.builders import a_rollout

RECORD = rollout_json(a_rollout())
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda part: st.lists(part, max_size=4) | st.dictionaries(st.text(max_size=8), part, max_size=4),
)
TEXT = st.text(max_size=40) | JSON.map(json.dumps)


@given(st.lists(st.none() | TEXT, min_size=len(FIELDS) - 1, max_size=len(FIELDS) - 1))
def test_whatever_stands_beside_a_record_it_is_read_or_unreadable(fields: Sequence[str | None]) -> None:
    try:
        entry = entry_of([RECORD, *fields])
    except UnreadableError:
        return
    assert entry is not None
    assert entry.rollout == a_rollout()


@given(TEXT.filter(bool))
def test_a_record_of_another_shape_is_unreadable(text: str) -> None:
    with pytest.raises(UnreadableError):
        entry_of([text, *[None] * (len(FIELDS) - 1)])


@pytest.mark.parametrize("field", range(1, len(FIELDS)))
@pytest.mark.parametrize("text", ["{", "[" * 100_000, "nan", "inf", "1e400", '{"a":1}', "[[]]", "-1e300"])
def test_a_field_of_another_shape_makes_the_record_unreadable(field: int, text: str) -> None:
    row: list[str | None] = [RECORD, *[None] * (len(FIELDS) - 1)]
    row[field] = text
    if field == FIELDS.index("step_due"):
        row[FIELDS.index("acceptance")] = "accepted"
    with pytest.raises(UnreadableError):
        entry_of(row)
