"""A row for each row of the table in design section 5."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.decisions.by_route import Move, adopted, differs, judge, raises, taken_back
from bot.domain.decisions.drift import drifted
from bot.domain.events import EventKind
from bot.domain.rollout import Applied, Drift, Entry, Pair, Phase, Rollout
from tests.builders import DRIFT, NOON, a_rollout, an_entry, at

AT_10, AT_25, AT_0, RIVAL = (Pair(90, 10),), (Pair(75, 25),), (Pair(1, None),), (Pair(50, 50),)

PROGRESSING = a_rollout()
STEP = a_rollout(step=1, base=0, revision=3, decision="d3", turn=3)
PAUSED = a_rollout(phase=Phase.PAUSED, revision=3, decision="d3", turn=3)
DRIFTED = replace(PAUSED, drift=DRIFT)
FOUND = replace(DRIFTED, decision="d2", revision=2)
RESTORED = replace(PROGRESSING, decision="d3", revision=3, overwrites=DRIFT)
OVER_25 = replace(RESTORED, overwrites=Drift(hand=DRIFT.hand, found=AT_25))
BACK = a_rollout(phase=Phase.ROLLED_BACK, revision=3, decision="d3", turn=3)
FIRST = a_rollout(phase=Phase.STARTING, base=-1, revision=1, decision="d1", turn=1)
OTHER = replace(PROGRESSING, id="r-other000", decision="o2")


def waiting(rollout: Rollout) -> Entry:
    """Return an entry whose decision is not yet on the route; revision 2 is."""
    last = Applied(revision=2, decision="d2", weight=10, at=NOON, generation=2)
    return Entry(rollout=rollout, applied=last, pending=("d3",))


NEW = Entry(rollout=FIRST, pending=("d1",))


@pytest.mark.parametrize(
    ("row", "entry", "note", "observed", "move"),
    [
        ("of this decision, as wanted", an_entry(), PROGRESSING, AT_10, Move.DONE),
        ("of this decision, not as wanted: drift", an_entry(), PROGRESSING, RIVAL, Move.DRIFT),
        ("of this decision, not as wanted: a roll back writes", an_entry(BACK), BACK, RIVAL, Move.WEIGHTS),
        ("of this decision, paused by drift: weights are theirs", an_entry(DRIFTED), DRIFTED, DRIFT.found, Move.DONE),
        ("the last applied, as it says: a step", waiting(STEP), PROGRESSING, AT_10, Move.WEIGHTS),
        ("the last applied, as it says: no weight moves", waiting(PAUSED), PROGRESSING, AT_10, Move.NOTE),
        ("the last applied, not as it says: drift", waiting(STEP), PROGRESSING, RIVAL, Move.DRIFT),
        ("the last applied, not as it says: a roll back writes", waiting(BACK), PROGRESSING, RIVAL, Move.WEIGHTS),
        ("paused by drift, as it was found: a restore", waiting(RESTORED), FOUND, DRIFT.found, Move.WEIGHTS),
        ("paused by drift, and edited once more", waiting(RESTORED), FOUND, AT_25, Move.DRIFT),
        ("a drift before the one a restore was decided on", waiting(OVER_25), FOUND, AT_25, Move.WEIGHTS),
        ("any, paused by drift: the annotation alone", waiting(DRIFTED), PROGRESSING, RIVAL, Move.NOTE),
        ("missing at a start", NEW, None, AT_0, Move.WEIGHTS),
        ("missing at a start, weights moved since the survey", NEW, None, RIVAL, Move.DRIFT),
        ("missing later: drift", waiting(STEP), None, AT_10, Move.DRIFT),
        ("missing, and a roll back writes also what looks as wanted", waiting(BACK), None, AT_0, Move.WEIGHTS),
        ("older than the last applied: drift", waiting(STEP), replace(FIRST, decision="old"), AT_10, Move.DRIFT),
        ("unknown, newer: another writer", waiting(STEP), replace(STEP, decision="x", revision=9), AT_25, Move.ADOPT),
        ("unknown, same revision", waiting(STEP), replace(PAUSED, decision="x", revision=2), AT_10, Move.ADOPT),
        ("rolled back at any revision", waiting(STEP), replace(BACK, decision="x", revision=1), AT_0, Move.ADOPT),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_copy_of_the_route_means(
    row: str, entry: Entry, note: Rollout | None, observed: tuple[Pair, ...], move: Move
) -> None:
    assert judge(entry, note, observed, holds_slot=True) is move


def test_a_pending_decision_on_the_route_is_ours_too() -> None:
    entry = Entry(rollout=replace(PAUSED, decision="d4", revision=4), applied=None, pending=("d2", "d3", "d4"))
    assert judge(entry, PROGRESSING, AT_10, holds_slot=True) is Move.NOTE


def test_a_start_overwrites_the_annotation_of_an_ended_rollout() -> None:
    ended = replace(OTHER, phase=Phase.ROLLED_BACK)
    assert judge(NEW, ended, AT_0, holds_slot=True, other_is_over=None) is Move.WEIGHTS


def test_a_start_is_refused_by_an_active_rollout_the_store_does_not_know() -> None:
    assert judge(NEW, OTHER, AT_0, holds_slot=True, other_is_over=None) is Move.REFUSE


def test_an_unknown_rollout_from_before_ours_is_over_and_its_annotation_drift() -> None:
    before = replace(OTHER, started_at=NOON - timedelta(hours=1))
    assert judge(an_entry(), before, AT_10, holds_slot=True, other_is_over=None) is Move.DRIFT


@pytest.mark.parametrize("phase", [Phase.PROGRESSING, Phase.ENDED, Phase.ROLLED_BACK])
@pytest.mark.parametrize("entry", [NEW, an_entry(), waiting(STEP), waiting(BACK)])
@pytest.mark.parametrize("other_is_over", [None, True])
def test_a_rollout_that_began_later_has_followed_ours_whatever_an_older_store_says(
    phase: Phase, entry: Entry, other_is_over: bool | None
) -> None:
    later = replace(OTHER, phase=phase, started_at=NOON + timedelta(seconds=1))
    assert judge(entry, later, AT_0, holds_slot=True, other_is_over=other_is_over) is Move.REFUSE


def test_a_start_that_was_refused_never_had_the_route_and_takes_no_roll_back_away() -> None:
    refused = replace(OTHER, phase=Phase.REFUSED, started_at=NOON + timedelta(seconds=1))
    assert judge(waiting(BACK), refused, AT_10, holds_slot=True, other_is_over=True) is Move.WEIGHTS


def test_a_rollout_without_the_slot_never_writes_over_another() -> None:
    assert judge(waiting(BACK), OTHER, AT_10, holds_slot=False, other_is_over=False) is Move.REFUSE


def test_a_roll_back_does_not_mind_a_rule_that_is_gone() -> None:
    assert judge(an_entry(BACK), BACK, (None,), holds_slot=True) is Move.DONE


def test_a_step_minds_a_rule_that_is_gone() -> None:
    assert judge(an_entry(), PROGRESSING, (None,), holds_slot=True) is Move.DRIFT


def test_drift_takes_an_unwritten_step_back_and_leaves_the_weights_alone() -> None:
    after = drifted(waiting(STEP), DRIFT.hand, DRIFT.found, at(1)).after
    assert (after.phase, after.step, after.drift, after.hands_off) == (Phase.PAUSED, 0, DRIFT, True)


def test_weights_that_change_again_during_a_drift_are_looked_at_again() -> None:
    assert judge(an_entry(DRIFTED), DRIFTED, DRIFT.found, holds_slot=True) is Move.DONE
    assert judge(an_entry(DRIFTED), DRIFTED, AT_25, holds_slot=True) is Move.DRIFT


def test_a_step_that_cannot_be_written_is_taken_back() -> None:
    after = taken_back(waiting(STEP), "No.", at(1)).after
    assert (after.phase, after.step, after.why) == (Phase.PAUSED, 0, "No.")


def test_a_first_write_that_cannot_be_written_refuses_the_start() -> None:
    after = taken_back(NEW, "No.", at(1)).after
    assert (after.phase, after.weight) == (Phase.REFUSED, 0)


@pytest.mark.parametrize(
    ("ours", "theirs", "phase"),
    [
        (PROGRESSING, BACK, Phase.ROLLED_BACK),
        (BACK, PROGRESSING, Phase.ROLLED_BACK),
        (PAUSED, PROGRESSING, Phase.PAUSED),
        (PROGRESSING, PAUSED, Phase.PAUSED),
        (PROGRESSING, STEP, Phase.PROGRESSING),
    ],
)
def test_where_two_records_disagree_the_safer_phase_wins(ours: Rollout, theirs: Rollout, phase: Phase) -> None:
    unknown = replace(theirs, decision="x", revision=7)
    after = adopted(an_entry(ours), unknown, at(1)).after
    assert (after.phase, after.revision, after.decision) == (phase, 8, "d3")


def test_a_roll_back_without_the_store_is_told_with_the_time_at_which_it_was_decided() -> None:
    back = replace(BACK, decision="x", revision=7, decided_at=at(1).now)
    change = adopted(an_entry(), back, at(9))
    assert [(event.kind, event.at) for event in change.events] == [(EventKind.ROLLED_BACK, at(1).now)]


@pytest.mark.parametrize(
    ("rollout", "raised"),
    [
        (FIRST, True),
        (STEP, True),
        (PROGRESSING, False),
        (PAUSED, False),
        (BACK, False),
        (RESTORED, False),
        (replace(RESTORED, overwrites=Drift(hand=DRIFT.hand, found=AT_0)), True),
    ],
)
def test_only_a_step_up_raises_the_canary(rollout: Rollout, raised: bool) -> None:
    assert raises(rollout) is raised


@pytest.mark.parametrize("phase", [Phase.ROLLED_BACK, Phase.FINISHED])
def test_a_finished_rollout_ignores_the_rollout_that_came_after_it(phase: Phase) -> None:
    after = replace(OTHER, revision=9)
    assert differs(replace(PROGRESSING, phase=phase), after, AT_25) is False
