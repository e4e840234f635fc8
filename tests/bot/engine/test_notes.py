"""What a note on a route is worth: signed by a key of ours, by nobody, or by a key that we no longer have."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.rollout import Phase, Rollout
from bot.engine.notes import MOST_DECISIONS, NO_KEYS, Notes, note_for, own_note, say_unsigned
from bot.engine.route_port import Note, Proof, RouteCopy
from tests.builders import a_rollout

OLD, NEW, THEIRS = b"the old key", b"the new key", b"the key of another install"
OURS = Notes((NEW, OLD))
MOVING = a_rollout()


def a_copy(note: Note | None, **changes: Any) -> RouteCopy:
    """Return a copy of the rollout's route, which carries a note."""
    place = {"namespace": MOVING.namespace, "name": MOVING.route, "uid": MOVING.route_uid, **changes}
    return RouteCopy(**place, generation=1, annotation="", note=note, document={})


def back(rollout: Rollout) -> Rollout:
    later = rollout.decided_at + timedelta(minutes=1)
    changes: dict[str, Any] = {"phase": Phase.ROLLED_BACK, "why": "p99", "by": "unix:deploy", "decided_at": later}
    return replace(rollout, **changes, decision="d-back", revision=rollout.revision + 1)


@pytest.mark.parametrize(
    ("writer", "reader", "proof"),
    [
        (OURS, OURS, Proof.SIGNED),
        (Notes((OLD,)), OURS, Proof.SIGNED),
        (OURS, Notes((OLD,)), Proof.UNSIGNED),
        (Notes((THEIRS,)), OURS, Proof.UNSIGNED),
        (NO_KEYS, OURS, Proof.UNSIGNED),
        (OURS, NO_KEYS, Proof.UNPROTECTED),
        (NO_KEYS, NO_KEYS, Proof.UNPROTECTED),
    ],
)
def test_any_of_our_keys_verifies_a_note(writer: Notes, reader: Notes, proof: Proof) -> None:
    assert reader.read(writer.write(MOVING)) == Note(MOVING, proof)


def test_a_note_that_an_editor_has_indented_and_sorted_is_still_signed() -> None:
    text = json.dumps(json.loads(OURS.write(MOVING)), indent=2, sort_keys=True, ensure_ascii=False)
    assert OURS.read(text) == Note(MOVING, Proof.SIGNED)


def other(value: Any) -> Any:
    """Return another JSON value of the same kind."""
    match value:
        case bool() | None:
            return not value
        case int():
            return value + 1
        case str():
            return f"{value}0"
        case list():
            return [*value, *(value or ["x"])]
        case _:
            return {**value, "x": 1}


@pytest.mark.parametrize("field", sorted(json.loads(OURS.write(MOVING))["rollout"]))
def test_a_note_with_any_other_value_in_its_record_is_not_signed(field: str) -> None:
    document = json.loads(OURS.write(MOVING))
    document["rollout"][field] = other(document["rollout"][field])
    note = OURS.read(json.dumps(document))
    assert note is None or note.proof is Proof.UNSIGNED


@pytest.mark.parametrize("mac", [None, "", 7, [], {}, "é", "0" * 64])
def test_a_note_with_any_other_signature_is_not_signed(mac: object) -> None:
    text = json.dumps({**json.loads(OURS.write(MOVING)), "mac": mac})
    assert OURS.read(text) == Note(MOVING, Proof.UNSIGNED)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda part: st.lists(part) | st.dictionaries(st.text(), part),
    )
)
def test_whatever_stands_beside_the_record_is_not_an_error(junk: object) -> None:
    document = json.loads(OURS.write(MOVING))
    for name in ("mac", "rolled_back", "rollout"):
        OURS.read(json.dumps({**document, name: junk}))


@pytest.mark.parametrize("notes", [NO_KEYS, OURS])
def test_a_note_with_a_large_count_leaves_room_to_count_on(notes: Notes) -> None:
    large = replace(MOVING, revision=2**52, turn=2**52)
    read = notes.read(notes.write(large))
    assert read is not None
    assert read.rollout == replace(MOVING, revision=MOST_DECISIONS, turn=MOST_DECISIONS)
    assert read.proof is notes.read(notes.write(MOVING)).proof  # type: ignore[union-attr]


@pytest.mark.parametrize("text", ["\ud800", "p99 \udfff"])
def test_a_note_with_half_a_character_is_none_of_ours(text: str) -> None:
    document = json.loads(OURS.write(MOVING))
    said = {"decision": "d-x", "at": MOVING.decided_at.isoformat(), "by": "", "why": text}
    assert OURS.read(json.dumps({**document, "rolled_back": said})) is None
    assert OURS.read(json.dumps({**document, "rollout": {**document["rollout"], "why": text}})) is None


def test_a_note_counts_only_on_the_route_that_it_names() -> None:
    note = Note(MOVING, Proof.SIGNED)
    elsewhere = ({"namespace": "other"}, {"name": "other"}, {"uid": "other"})
    assert own_note(a_copy(note)) == MOVING
    assert [own_note(a_copy(note, **place)) for place in elsewhere] == [None] * 3
    assert [note_for(a_copy(note, **place), MOVING) for place in elsewhere] == [None] * 3


def test_an_unsigned_note_counts_where_it_says_what_the_record_says() -> None:
    copy = a_copy(Note(MOVING, Proof.UNSIGNED))
    assert (own_note(copy), note_for(copy, MOVING), note_for(copy, replace(MOVING, step=1))) == (None, MOVING, None)


def test_of_an_unsigned_roll_back_nothing_counts_but_that_it_is_one() -> None:
    forged = replace(back(MOVING), channel="C0OTHER001", started_by="U0EVE00001", stable=MOVING.canary, rules=())
    taken = note_for(a_copy(Note(forged, Proof.UNSIGNED)), MOVING)
    why = "p99 (written on the route in the name of deploy; the bot has not signed it)"
    assert taken == replace(back(MOVING), by="unix:somebody", why=why, since=forged.decided_at, turn=MOVING.turn + 1)


@pytest.mark.parametrize("phase", [Phase.ROLLED_BACK, Phase.REFUSED, Phase.CLEANED])
def test_an_unsigned_roll_back_of_what_is_back_or_has_no_way_back_counts_for_nothing(phase: Phase) -> None:
    assert note_for(a_copy(Note(back(MOVING), Proof.UNSIGNED)), replace(MOVING, phase=phase)) is None


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase is not Phase.ROLLED_BACK])
def test_nothing_else_that_is_unsigned_counts(phase: Phase) -> None:
    assert note_for(a_copy(Note(replace(MOVING, phase=phase, decision="d-9"), Proof.UNSIGNED)), MOVING) is None


def test_a_terminal_without_the_key_leaves_the_signed_record_and_writes_its_roll_back_beside_it() -> None:
    signed = OURS.write(MOVING)
    text = NO_KEYS.write(back(MOVING), signed)
    note, here = OURS.read(text), NO_KEYS.read(text)
    why = "p99 (written on the route in the name of deploy; the bot has not signed it)"
    expected = replace(back(MOVING), since=back(MOVING).decided_at, turn=MOVING.turn + 1)
    assert here == Note(expected, Proof.UNPROTECTED)
    assert note == Note(replace(expected, by="unix:somebody", why=why), Proof.SIGNED)
    assert json.loads(text)["phase"] == "rolled_back"


@pytest.mark.parametrize(
    "over", [None, "", "junk", NO_KEYS.write(MOVING), OURS.write(replace(MOVING, id="r-0000000f"))]
)
def test_over_a_note_that_is_not_signed_or_of_another_rollout_it_writes_its_own(over: str | None) -> None:
    assert NO_KEYS.write(back(MOVING), over) == NO_KEYS.write(back(MOVING))


def test_a_roll_back_beside_a_forged_record_does_not_make_it_signed() -> None:
    document = json.loads(NO_KEYS.write(back(MOVING), OURS.write(MOVING)))
    document["rollout"]["channel"] = "C0OTHER001"
    note = OURS.read(json.dumps(document))
    assert note is not None
    assert note.proof is Proof.UNSIGNED


@pytest.mark.parametrize("phase", [Phase.CLEANED, Phase.REFUSED])
def test_a_roll_back_beside_a_record_without_a_way_back_counts_for_nothing(phase: Phase) -> None:
    over = replace(MOVING, phase=phase)
    text = NO_KEYS.write(back(over), OURS.write(over))
    assert OURS.read(text) == Note(over, Proof.SIGNED)


@pytest.mark.parametrize(
    "said", [None, 7, {}, {"decision": MOVING.decision, "at": "2026-11-23T12:00:00Z", "by": "", "why": ""}]
)
def test_what_is_no_roll_back_beside_a_record_leaves_the_record(said: object) -> None:
    text = json.dumps({**json.loads(OURS.write(MOVING)), "rolled_back": said})
    assert OURS.read(text) == Note(MOVING, Proof.SIGNED)


@pytest.mark.parametrize("proof", Proof)
def test_a_note_of_the_same_decision_in_another_phase_counts_for_nothing(proof: Proof) -> None:
    assert note_for(a_copy(Note(replace(back(MOVING), decision=MOVING.decision), proof)), MOVING) is None


def test_a_record_nested_as_deeply_as_can_just_be_read_is_not_an_error() -> None:
    document = json.loads(OURS.write(MOVING))
    text = json.dumps({**document, "rollout": {**document["rollout"], "x": "HERE"}})
    for depth in range(600, 1000):
        OURS.read(text.replace('"HERE"', "[" * depth + "]" * depth))


@pytest.mark.parametrize(
    ("by", "why", "said"),
    [
        ("U0BOB00001", "", "Written on the route in the name of U0BOB00001; the bot has not signed it"),
        ("unix:deploy", "p99", "p99 (written on the route in the name of deploy; the bot has not signed it)"),
        ("", "p99", "p99 (written on the route; the bot has not signed it)"),
        ("", "x" * 16_000, f"{'x' * 300} (written on the route; the bot has not signed it)"),
        ("e" * 300, "", f"Written on the route in the name of {'e' * 255}; the bot has not signed it"),
        (
            "\u202eeve",
            "x\ny xoxb-1-abcdef",
            "x y *** (written on the route in the name of eve; the bot has not signed it)",
        ),
    ],
)
def test_who_wrote_an_unsigned_roll_back_is_told_as_it_stands_there(by: str, why: str, said: str) -> None:
    assert say_unsigned(by, why) == said
