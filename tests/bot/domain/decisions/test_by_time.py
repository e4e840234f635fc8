from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from bot.domain.deadlines import LOOK_AT_STABLE_EVERY, REMIND_EVERY, next_reminder
from bot.domain.decisions.by_time import (
    WATCHED,
    LookAgain,
    after_roll_back,
    on_accepted,
    on_due,
    on_failed,
    on_rejected,
    on_unwritten,
)
from bot.domain.events import Event, EventKind
from bot.domain.gate import Finding, GateAnswer, OnFail, Readiness, Verdict
from bot.domain.rollout import Ask, Change, Entry, Phase, Rollout
from tests.builders import BOB, HOLD, NOON, PASS, PLAN, READY, a_rollout, a_verdict, an_entry, at


def decided(outcome: Change | LookAgain) -> Change:
    assert isinstance(outcome, Change)
    return outcome


def test_a_due_rollout_takes_the_next_step() -> None:
    change = decided(on_due(an_entry(), PASS, at(10)))
    assert (change.after.weight, change.after.phase, change.due) == (25, Phase.PROGRESSING, None)


def test_a_step_that_crosses_a_mark_asks_first() -> None:
    change = decided(on_due(an_entry(a_rollout(step=1, base=1)), PASS, at(10)))
    assert (change.after.phase, change.after.weight) == (Phase.AWAITING_APPROVAL, 25)
    assert [event.weight for event in change.events] == [50]


def test_the_step_to_100_promotes() -> None:
    free = a_rollout(step=2, base=2, plan=replace(PLAN, approve_at=()))
    change = decided(on_due(an_entry(free), PASS, at(10)))
    assert (change.after.phase, change.after.weight) == (Phase.PROMOTED, 100)


def test_a_gate_that_says_wait_holds_and_asks_again_in_30_seconds() -> None:
    change = decided(on_due(an_entry(), HOLD, at(10)))
    assert (change.after.phase, change.after.why, change.after.weight) == (Phase.HOLDING, HOLD.reason, 10)
    assert change.due == NOON + timedelta(minutes=10, seconds=30)


def test_a_held_rollout_waits_on_without_a_new_decision() -> None:
    held = holding(due=5)
    assert on_due(held, HOLD, at(5)) == LookAgain(due=NOON + timedelta(minutes=5, seconds=30))


def holding(due: float) -> Entry:
    """Held since noon; the timer looks ``due`` minutes later."""
    held = a_rollout(phase=Phase.HOLDING, why=HOLD.reason, held_by=HOLD.gates)
    return an_entry(held, due=NOON + timedelta(minutes=due), step_due=None)


def test_a_hold_that_is_not_over_at_the_second_look_is_told_once() -> None:
    """The looks are at noon, where it began, and then each half minute; the timer may be late."""
    looks = [on_due(holding(due=due), HOLD, at(now)) for due, now in ((0.5, 0.5), (0.5, 3), (1, 1), (3.5, 3.5))]
    told = Event(kind=EventKind.HELD_ON, at=NOON, weight=10, reason=HOLD.reason)
    assert [look.events for look in looks] == [
        (replace(told, at=NOON + timedelta(seconds=30)),),
        (replace(told, at=NOON + timedelta(minutes=3)),),
        (),
        (),
    ]


def test_a_hold_by_another_gate_at_the_second_look_is_told_as_one_that_lasts() -> None:
    other = a_verdict(GateAnswer.HOLD, "5xx is 2 %.", gate="errors")
    changes = [decided(on_due(holding(due=due), other, at(due))) for due in (0.5, 1)]
    assert [[(event.kind, event.reason) for event in change.events] for change in changes] == [
        [(EventKind.HELD_ON, "5xx is 2 %.")],
        [(EventKind.HELD, "5xx is 2 %.")],
    ]


def test_an_old_pool_that_stays_on_the_route_after_the_bake_is_told_once() -> None:
    """The gateway took 20 s to accept, so the looks are at 30:20, 30:50, 31:20 and 31:50."""
    rollout = a_rollout(phase=Phase.PROMOTED, step=3)
    looks = []
    for second in (20, 50, 80, 110):
        due = NOON + timedelta(minutes=30, seconds=second)
        looks.append(on_due(an_entry(rollout, due=due, step_due=None), HOLD, at(30 + second / 60)))
    assert [[event.reason for event in look.events] for look in looks] == [
        [],
        [],
        [f"The old pool stays on the route: {HOLD.reason}"],
        [],
    ]


def test_a_gate_that_holds_for_30_minutes_pauses() -> None:
    held = an_entry(a_rollout(phase=Phase.HOLDING, why=HOLD.reason, held_by=HOLD.gates))
    change = decided(on_due(held, HOLD, at(30)))
    assert (change.after.phase, change.after.left) == (Phase.PAUSED, Phase.HOLDING)


def test_a_hold_that_should_have_paused_long_ago_pauses_even_if_the_gate_passes_now() -> None:
    outcomes = [decided(on_due(holding(due=minutes), PASS, at(minutes))).after for minutes in (30.5, 31)]
    assert [outcome.phase for outcome in outcomes] == [Phase.PROGRESSING, Phase.PAUSED]


def test_people_who_are_asked_to_vote_have_as_long_as_for_an_approval() -> None:
    waits = a_verdict(GateAnswer.HOLD, "Nobody has voted.", gate="quality")
    rollout = a_rollout(phase=Phase.HOLDING, why=waits.reason, held_by=waits.gates)
    held = an_entry(rollout, due=NOON + timedelta(hours=23))
    assert on_due(held, waits, at(23 * 60)) == LookAgain(due=NOON + timedelta(hours=23, seconds=30))
    assert decided(on_due(held, PASS, at(23 * 60))).after.phase is Phase.PROGRESSING
    change = decided(on_due(held, waits, at(24 * 60)))
    assert (change.after.phase, change.after.why) == (Phase.PAUSED, "A gate held it for 24 hours: Nobody has voted.")


def voting(minutes: int, *also: str) -> Change | LookAgain:
    """Return what is decided while votes have been waited for since noon, and other gates hold now too."""
    findings = [Finding(gate=gate, answer=GateAnswer.HOLD, reason=f"{gate} holds.") for gate in ("quality", *also)]
    held = a_rollout(phase=Phase.HOLDING, why="Vote.", held_by=("quality",))
    return on_due(an_entry(held, due=NOON, step_due=None), Verdict(findings=tuple(findings)), at(minutes))


def test_while_people_vote_another_gate_that_holds_too_does_not_pause() -> None:
    assert decided(voting(45, "latency")).after.phase is Phase.HOLDING
    assert decided(voting(24 * 60, "latency")).after.phase is Phase.PAUSED


def test_what_holds_when_people_have_voted_has_its_own_half_hour() -> None:
    held = a_rollout(phase=Phase.HOLDING, why="Vote.", held_by=("latency", "quality"))
    change = decided(on_due(an_entry(held, due=NOON, step_due=None), HOLD, at(300)))
    assert (change.after.phase, change.after.since) == (Phase.HOLDING, at(300).now)


def test_another_reason_of_the_same_gate_is_no_news_to_a_held_rollout_until_its_half_hour_is_over() -> None:
    held = holding(due=5)
    silent = a_verdict(GateAnswer.HOLD, "The API server did not answer.")
    assert on_due(held, silent, at(5)) == LookAgain(due=NOON + timedelta(minutes=5, seconds=30))
    change = decided(on_due(held, silent, at(30)))
    assert change.after.why == "A gate held it for 30 minutes: The API server did not answer."


@pytest.mark.parametrize(
    ("phase", "minutes", "why"),
    [
        (Phase.HOLDING, 30, "A gate held it for 30 minutes: Not ready."),
        (Phase.AWAITING_APPROVAL, 24 * 60, "Nobody approved it within 24 hours."),
    ],
)
def test_a_deadline_pauses_also_what_is_not_written_and_not_sooner(phase: Phase, minutes: int, why: str) -> None:
    entry = an_entry(a_rollout(phase=phase, why="Not ready."), applied=None)
    assert on_unwritten(entry, at(minutes - 1)) is None
    change = on_unwritten(entry, at(minutes))
    assert isinstance(change, Change)
    assert (change.after.phase, change.after.why) == (Phase.PAUSED, why)


def test_a_pause_that_is_not_written_is_reminded_of_as_any_other() -> None:
    entry = an_entry(a_rollout(phase=Phase.PAUSED), applied=None)
    assert on_unwritten(entry, at(239)) is None
    assert on_unwritten(entry, at(240)) == on_due(an_entry(entry.rollout), None, at(240))


@pytest.mark.parametrize("phase", sorted(set(Phase) - {Phase.HOLDING, Phase.AWAITING_APPROVAL, Phase.PAUSED}))
def test_other_unwritten_decisions_only_wait_to_be_written(phase: Phase) -> None:
    assert on_unwritten(an_entry(a_rollout(phase=phase), applied=None), at(100_000)) is None


def test_a_held_rollout_goes_on_when_the_gate_passes() -> None:
    change = decided(on_due(an_entry(a_rollout(phase=Phase.HOLDING)), PASS, at(5)))
    assert change.after.weight == 25


def test_a_held_step_that_people_approved_is_taken_without_asking_again() -> None:
    held = a_rollout(phase=Phase.HOLDING, ask=Ask(id="x", step=3, approvals=(BOB,)))
    change = decided(on_due(an_entry(held), PASS, at(5)))
    assert (change.after.phase, change.after.weight) == (Phase.PROMOTED, 100)


def test_a_gate_that_fails_rolls_back() -> None:
    fail = a_verdict(GateAnswer.FAIL, "5xx doubled.")
    assert decided(on_due(an_entry(), fail, at(10))).after.phase is Phase.ROLLED_BACK


def test_a_gate_that_fails_pauses_where_the_policy_says_so() -> None:
    fail = a_verdict(GateAnswer.FAIL, "5xx doubled.", on_fail=OnFail.PAUSE)
    change = decided(on_due(an_entry(), fail, at(10)))
    assert (change.after.phase, change.after.weight, change.after.why) == (Phase.PAUSED, 10, "5xx doubled.")


def test_of_two_gates_that_fail_the_one_that_rolls_back_wins() -> None:
    pauses = Finding(gate="latency", answer=GateAnswer.FAIL, reason="p95 doubled.", on_fail=OnFail.PAUSE)
    rolls_back = Finding(gate="errors", answer=GateAnswer.FAIL, reason="5xx doubled.")
    change = decided(on_due(an_entry(), Verdict(findings=(pauses, rolls_back), readiness=READY), at(10)))
    assert (change.after.phase, change.after.why) == (Phase.ROLLED_BACK, "p95 doubled. 5xx doubled.")


def test_another_gate_that_holds_is_another_hold() -> None:
    held = an_entry(a_rollout(phase=Phase.HOLDING, why=HOLD.reason, held_by=HOLD.gates))
    change = decided(on_due(held, a_verdict(GateAnswer.HOLD, "p95 is unknown.", gate="latency"), at(5)))
    assert (change.after.why, change.after.held_by, change.after.since) == ("p95 is unknown.", ("latency",), NOON)


@pytest.mark.parametrize("phase", sorted(WATCHED))
def test_between_steps_a_gate_that_fails_rolls_back_whatever_the_rollout_waits_for(phase: Phase) -> None:
    change = on_failed(an_entry(a_rollout(phase=phase)), a_verdict(GateAnswer.FAIL, "5xx doubled."), at(3))
    assert change is not None
    assert (change.after.phase, change.after.why) == (Phase.ROLLED_BACK, "5xx doubled.")


@pytest.mark.parametrize("verdict", [PASS, HOLD])
def test_between_steps_a_gate_that_only_holds_changes_nothing(verdict: Verdict) -> None:
    assert on_failed(an_entry(), verdict, at(3)) is None


@pytest.mark.parametrize("rollout", [a_rollout(phase=Phase.PAUSED), a_rollout(phase=Phase.AWAITING_APPROVAL, step=-1)])
def test_between_steps_nothing_fails_that_people_have_paused_or_that_has_no_traffic(rollout: Rollout) -> None:
    assert on_failed(an_entry(rollout), a_verdict(GateAnswer.FAIL, "5xx doubled."), at(3)) is None


def test_a_look_before_the_next_step_is_due_takes_no_step() -> None:
    later = NOON + timedelta(minutes=7)
    assert on_due(an_entry(step_due=later), PASS, at(5)) == LookAgain(due=later, step_due=later)


def test_a_bake_that_a_gate_delays_has_no_known_end() -> None:
    baking = an_entry(a_rollout(phase=Phase.PROMOTED, step=3), step_due=NOON)
    assert on_due(baking, HOLD, at(30)) == LookAgain(due=NOON + timedelta(minutes=30, seconds=30))


def test_a_gate_that_fails_at_the_end_of_the_bake_rolls_back() -> None:
    baking = an_entry(a_rollout(phase=Phase.PROMOTED, step=3))
    change = decided(on_due(baking, a_verdict(GateAnswer.FAIL, "5xx doubled."), at(30)))
    assert (change.after.phase, change.after.why) == (Phase.ROLLED_BACK, "5xx doubled.")


def test_no_automatic_roll_back_onto_a_pool_that_cannot_serve() -> None:
    empty = Readiness(canary_ready=4, canary_of=4, stable_ready=0, stable_of=8, at=NOON)
    fail = replace(a_verdict(GateAnswer.FAIL, "5xx doubled."), readiness=empty)
    change = decided(on_due(an_entry(), fail, at(10)))
    assert (change.after.phase, change.after.why) == (
        Phase.PAUSED,
        "5xx doubled. I did not roll it back: the old pool cannot serve: it has no ready endpoint.",
    )


def test_it_does_not_roll_back_by_itself_onto_a_pool_that_nobody_could_check() -> None:
    fail = replace(a_verdict(GateAnswer.FAIL, "5xx doubled."), readiness=None)
    change = decided(on_due(an_entry(), fail, at(10)))
    assert (change.after.phase, change.after.why) == (
        Phase.PAUSED,
        "5xx doubled. I did not roll it back: nobody knows whether the old pool can serve.",
    )


def test_an_approval_that_nobody_gives_pauses_after_a_day() -> None:
    change = decided(on_due(an_entry(a_rollout(phase=Phase.AWAITING_APPROVAL)), None, at(24 * 60)))
    assert (change.after.phase, change.after.left) == (Phase.PAUSED, Phase.AWAITING_APPROVAL)


def test_a_bake_that_is_over_finishes() -> None:
    change = decided(on_due(an_entry(a_rollout(phase=Phase.PROMOTED, step=3, base=3)), PASS, at(30)))
    assert change.after.phase is Phase.FINISHED


def test_a_bake_does_not_finish_onto_a_pool_that_cannot_serve() -> None:
    promoted = an_entry(a_rollout(phase=Phase.PROMOTED, step=3, base=3))
    assert on_due(promoted, HOLD, at(30)) == LookAgain(due=NOON + timedelta(minutes=30, seconds=30))
    change = decided(on_due(promoted, HOLD, at(60)))
    assert (change.after.phase, change.after.left) == (Phase.PAUSED, Phase.PROMOTED)


def test_a_paused_rollout_is_brought_to_mind_every_four_hours() -> None:
    paused = an_entry(a_rollout(phase=Phase.PAUSED, why="Lunch."))
    reminder = Event(kind=EventKind.REMINDER, at=at(240).now, weight=10, reason="Lunch.")
    assert on_due(paused, None, at(240)) == LookAgain(due=NOON + timedelta(hours=8), events=(reminder,))


def test_reminders_become_daily_after_twelve() -> None:
    paused = a_rollout(phase=Phase.PAUSED)
    assert next_reminder(paused, NOON + 11 * REMIND_EVERY) == NOON + 12 * REMIND_EVERY
    assert next_reminder(paused, NOON + 12 * REMIND_EVERY) == NOON + 12 * REMIND_EVERY + timedelta(days=1)


def test_a_finished_rollout_is_brought_to_mind_for_a_week() -> None:
    finished = a_rollout(phase=Phase.FINISHED)
    assert next_reminder(finished, NOON) == NOON + timedelta(days=1)
    assert next_reminder(finished, NOON + timedelta(days=7)) is None


@pytest.mark.parametrize(
    ("step", "phase", "minutes"), [(0, Phase.PROGRESSING, 11), (3, Phase.PROMOTED, 31)], ids=["first", "start at 100"]
)
def test_acceptance_of_the_first_write_starts_the_time(step: int, phase: Phase, minutes: int) -> None:
    starting = an_entry(a_rollout(phase=Phase.STARTING, step=step))
    change = decided(on_accepted(starting, at(1)))
    assert (change.after.phase, change.due) == (phase, NOON + timedelta(minutes=minutes))


def test_acceptance_of_a_later_write_only_sets_the_due_time() -> None:
    assert on_accepted(an_entry(), at(1)) == LookAgain(
        due=NOON + timedelta(minutes=11), step_due=NOON + timedelta(minutes=11)
    )


DEAD = replace(READY, stable_lack="No picker.")
SOON = at(1).now + LOOK_AT_STABLE_EVERY


@pytest.mark.parametrize(
    ("before", "now", "due", "told"),
    [
        (None, READY, None, []),
        (READY, READY, None, []),
        (DEAD, READY, None, [EventKind.WAY_BACK]),
        (DEAD, DEAD, SOON, []),
        (READY, DEAD, SOON, [EventKind.NO_WAY_BACK]),
    ],
)
def test_after_a_roll_back_people_hear_of_the_old_pool_only_when_it_changes(
    before: Readiness | None, now: Readiness, due: datetime | None, told: list[EventKind]
) -> None:
    entry = replace(an_entry(a_rollout(phase=Phase.ROLLED_BACK)), readiness=before)
    again = after_roll_back(entry, now, at(1))
    assert (again.due, [event.kind for event in again.events]) == (due, told)


def test_a_first_write_the_gateway_rejects_is_rolled_back() -> None:
    change = decided(on_rejected(an_entry(a_rollout(phase=Phase.STARTING)), "pool not found", at(1)))
    assert (change.after.phase, change.after.why) == (
        Phase.ROLLED_BACK,
        "The gateway refused the route: pool not found",
    )


def test_a_later_write_the_gateway_rejects_pauses() -> None:
    entry: Entry = an_entry(a_rollout(step=1, base=0))
    change = decided(on_rejected(entry, "pool not found", at(1)))
    assert (change.after.phase, change.after.weight) == (Phase.PAUSED, 25)
