from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.decisions.by_cluster import was_deleted
from bot.domain.decisions.by_people import decide, require_fit
from bot.domain.errors import NotAllowedError, StaleError, TransitionError, UsageError
from bot.domain.events import Event, EventKind
from bot.domain.gate import Verdict
from bot.domain.rollout import Acceptance, Ask, Entry, Pair, Phase, Rollout, wanted
from bot.domain.verbs.declaration import Kind
from bot.domain.verbs.registry import verb_of, verbs, what_works_now
from tests.builders import (
    ALICE,
    BOB,
    CAROL,
    DRIFT,
    HOLD,
    NOON,
    PASS,
    PLAN,
    RULE,
    a_request,
    a_rollout,
    an_entry,
    applied,
    at,
)

AWAITING = a_rollout(phase=Phase.AWAITING_APPROVAL, step=1, base=1, ask=Ask(id="d2", step=2))
PAUSED = a_rollout(phase=Phase.PAUSED, left=Phase.PROGRESSING, step=1, base=1)
PROMOTED = a_rollout(phase=Phase.PROMOTED, step=3, base=3)


def kinds(change_events: tuple[object, ...]) -> list[EventKind]:
    return [event.kind for event in change_events]  # type: ignore[attr-defined]


def test_advance_takes_the_next_step_now() -> None:
    change = decide(an_entry(), a_request("advance"), PASS, at(1, by=BOB))
    after = change.after
    assert (after.phase, after.weight, after.base, after.revision, after.turn) == (Phase.PROGRESSING, 25, 0, 3, 3)
    assert (after.by, change.due, kinds(change.events)) == (BOB, None, [EventKind.STEPPED])


def test_a_steps_time_counts_from_its_decision() -> None:
    after = decide(an_entry(), a_request("advance"), PASS, at(5)).after
    assert (after.phase, after.since) == (Phase.PROGRESSING, at(5).now)


def test_advance_leads_to_a_question_where_approval_is_needed() -> None:
    change = decide(an_entry(a_rollout(step=1, base=1)), a_request("advance"), PASS, at(1))
    assert (change.after.phase, change.after.weight, change.after.ask) == (
        Phase.AWAITING_APPROVAL,
        25,
        Ask(id="d3", step=2),
    )
    assert change.due == NOON + timedelta(minutes=1, hours=24)


def test_advance_says_what_the_gate_says() -> None:
    with pytest.raises(TransitionError, match="has no ready model server"):
        decide(an_entry(), a_request("advance"), HOLD, at(1))


def test_no_step_is_decided_while_the_last_one_is_not_on_the_route() -> None:
    entry = Entry(rollout=a_rollout(revision=3, decision="d3"), applied=applied(a_rollout()))
    with pytest.raises(TransitionError, match="not on the route yet"):
        decide(entry, a_request("advance"), PASS, at(1))


def test_no_step_is_decided_while_the_gateway_has_not_accepted_the_last_one() -> None:
    with pytest.raises(TransitionError, match="not accepted"):
        decide(an_entry(acceptance=Acceptance.WAITING), a_request("advance"), PASS, at(1))


def test_promote_asks_once_with_the_strictest_mark_among_the_steps_skipped() -> None:
    change = decide(an_entry(), a_request("promote"), PASS, at(1))
    assert (change.after.phase, change.after.ask) == (Phase.AWAITING_APPROVAL, Ask(id="d3", step=3))


def test_promote_jumps_to_100_where_no_approval_is_asked() -> None:
    free = a_rollout(plan=replace(PLAN, approve_at=()))
    change = decide(an_entry(free), a_request("promote"), PASS, at(1))
    assert (change.after.phase, change.after.weight) == (Phase.PROMOTED, 100)


def test_an_approval_takes_the_step() -> None:
    change = decide(an_entry(AWAITING), a_request("approve"), PASS, at(1, by=BOB))
    assert (change.after.phase, change.after.weight, change.after.ask) == (Phase.PROGRESSING, 50, None)
    assert kinds(change.events) == [EventKind.APPROVED, EventKind.STEPPED]


def test_the_starter_cannot_approve() -> None:
    with pytest.raises(NotAllowedError, match="You started this rollout"):
        decide(an_entry(AWAITING), a_request("approve", by=ALICE), PASS, at(1))


def test_the_starter_may_approve_where_the_plan_says_so() -> None:
    allowed = replace(AWAITING, plan=replace(PLAN, requester_may_approve=True))
    assert decide(an_entry(allowed), a_request("approve", by=ALICE), PASS, at(1)).after.weight == 50


def test_two_people_count_and_one_person_counts_once() -> None:
    two = an_entry(replace(AWAITING, plan=replace(PLAN, approvals=2)))
    first = decide(two, a_request("approve", by=BOB), PASS, at(1, by=BOB))
    assert (first.after.phase, first.after.turn) == (Phase.AWAITING_APPROVAL, AWAITING.turn)
    half = an_entry(first.after)
    with pytest.raises(TransitionError, match="approved this step already"):
        decide(half, a_request("approve", by=BOB), PASS, at(1))
    second = decide(half, a_request("approve", by=CAROL), PASS, at(2))
    assert (second.after.phase, second.after.weight) == (Phase.PROGRESSING, 50)


def test_an_approved_step_is_held_still_approved_while_a_gate_says_wait() -> None:
    change = decide(an_entry(AWAITING), a_request("approve"), HOLD, at(1, by=BOB))
    assert (change.after.phase, change.after.weight) == (Phase.HOLDING, 25)
    assert change.after.ask == Ask(id="d2", step=2, approvals=(BOB,))


def test_a_rejection_needs_a_reason() -> None:
    with pytest.raises(UsageError, match="needs a reason"):
        decide(an_entry(AWAITING), a_request("reject"), None, at(1))


def test_a_rejection_pauses_and_the_approvals_are_void() -> None:
    half = replace(AWAITING, ask=Ask(id="d2", step=2, approvals=(CAROL,)), plan=replace(PLAN, approvals=2))
    change = decide(an_entry(half), a_request("reject", reason="p99 doubled"), None, at(1))
    after = change.after
    assert (after.phase, after.why, after.ask, after.left) == (
        Phase.PAUSED,
        "Rejected: p99 doubled",
        None,
        Phase.AWAITING_APPROVAL,
    )


@pytest.mark.parametrize(
    ("stop", "then"),
    [("reject", (Phase.PROGRESSING, None)), ("pause", (Phase.AWAITING_APPROVAL, Ask(id="d3", step=3)))],
)
def test_resume_goes_on_with_the_plan_after_a_rejected_jump_and_asks_again_after_a_pause(
    stop: str, then: tuple[Phase, Ask | None]
) -> None:
    asked = decide(an_entry(), a_request("promote"), PASS, at(1)).after
    stopped = decide(an_entry(asked), replace(a_request(stop, reason="Wait."), at=at(2).now), None, at(2)).after
    resumed = decide(an_entry(stopped), replace(a_request("resume"), at=at(3).now), PASS, at(3)).after
    assert (resumed.phase, resumed.ask) == then


def test_a_share_that_the_canary_had_before_the_start_spares_nobody_the_approval_of_the_first_step() -> None:
    rule = replace(a_rollout().rules[0], stable_before=80, canary_before=20)
    asked = a_rollout(rules=(rule,), phase=Phase.AWAITING_APPROVAL, step=-1, base=-1, ask=Ask(id="d2", step=0))
    asked = replace(asked, plan=replace(PLAN, steps=(25, 50, 100), approve_at=(10, 50, 100)))
    rejected = decide(an_entry(asked), a_request("reject", reason="Too early."), None, at(1)).after
    resumed = decide(an_entry(rejected), replace(a_request("resume"), at=at(2).now), PASS, at(2)).after
    assert (resumed.phase, resumed.ask) == (Phase.AWAITING_APPROVAL, Ask(id="d3", step=0))


def test_who_has_approved_already_is_told_how_many_are_missing() -> None:
    given = replace(AWAITING, ask=Ask(id="d2", step=2, approvals=(BOB,)), plan=replace(PLAN, approvals=3))
    with pytest.raises(TransitionError) as refused:
        decide(an_entry(given), a_request("approve", by=BOB), PASS, at(1))
    assert str(refused.value) == "You have approved this step already. It still needs 2 approvals."


def test_resume_after_a_rejection_asks_again() -> None:
    rejected = an_entry(replace(PAUSED, left=Phase.AWAITING_APPROVAL))
    change = decide(rejected, a_request("resume"), PASS, at(1))
    assert (change.after.phase, change.after.ask) == (Phase.AWAITING_APPROVAL, Ask(id="d3", step=2))


def test_pause_takes_back_a_step_that_is_not_on_the_route() -> None:
    entry = Entry(rollout=a_rollout(step=1, base=0, revision=3, decision="d3"), applied=applied(a_rollout()))
    after = decide(entry, a_request("pause"), None, at(1)).after
    assert (after.phase, after.step, wanted(after)) == (Phase.PAUSED, 0, (Pair(90, 10),))


def test_resume_goes_on_with_a_full_interval() -> None:
    change = decide(an_entry(PAUSED), a_request("resume"), PASS, at(5))
    assert (change.after.phase, change.due) == (Phase.PROGRESSING, NOON + timedelta(minutes=15))


def test_what_was_before_a_resume_is_no_evidence_any_more_and_a_later_decision_leaves_that() -> None:
    paused = an_entry(a_rollout(phase=Phase.PAUSED, left=Phase.PROGRESSING))
    resumed = decide(paused, a_request("resume"), PASS, at(1)).after
    later = decide(an_entry(resumed), a_request("pause"), None, at(2)).after
    assert (paused.rollout.resumed_at, resumed.resumed_at, later.resumed_at) == (None, at(1).now, at(1).now)


def test_resume_of_a_paused_bake_bakes_again() -> None:
    paused = an_entry(replace(PROMOTED, phase=Phase.PAUSED, left=Phase.PROMOTED))
    change = decide(paused, a_request("resume"), PASS, at(5))
    assert (change.after.phase, change.due) == (Phase.PROMOTED, NOON + timedelta(minutes=35))


def test_resume_of_a_drift_asks_what_to_do_with_the_weights() -> None:
    with pytest.raises(TransitionError, match="`restore` writes 25 % again, `adopt` goes on from what is there"):
        decide(an_entry(replace(PAUSED, drift=DRIFT)), a_request("resume"), PASS, at(1))


@pytest.mark.parametrize(("verdict", "phase", "step"), [(PASS, Phase.STARTING, 0), (HOLD, Phase.HOLDING, -1)])
def test_resume_before_the_first_weight_takes_it_or_holds(verdict: Verdict, phase: Phase, step: int) -> None:
    entry = an_entry(replace(PAUSED, step=-1, base=-1, left=Phase.STARTING))
    after = decide(entry, a_request("resume"), verdict, at(1)).after
    assert (after.phase, after.step, after.held_by, after.left) == (phase, step, verdict.gates, None)


def test_restore_before_the_first_weight_lowers_the_canary_whatever_the_gates_say() -> None:
    drift = replace(DRIFT, found=(Pair(50, 50),))
    entry = an_entry(replace(PAUSED, step=-1, base=-1, left=Phase.STARTING, drift=drift))
    after = decide(entry, a_request("restore"), HOLD, at(1)).after
    assert (after.phase, after.weight, after.overwrites) == (Phase.HOLDING, 0, drift)


def test_restore_before_the_first_weight_that_gives_the_canary_its_share_back_asks_the_gates() -> None:
    taken = replace(RULE, canary_before=20)
    drift = replace(DRIFT, found=(Pair(1, None), Pair(100, 0)))
    entry = an_entry(replace(PAUSED, rules=(RULE, taken), step=-1, base=-1, left=Phase.STARTING, drift=drift))
    with pytest.raises(TransitionError, match="no ready model server"):
        decide(entry, a_request("restore"), HOLD, at(1))


def test_promote_leaves_a_pause_only_if_the_old_pool_is_gone() -> None:
    with pytest.raises(TransitionError, match="You can't promote now"):
        decide(an_entry(PAUSED), a_request("promote"), PASS, at(1))
    gone = replace(PAUSED, plan=replace(PLAN, approve_at=()), why=was_deleted(PAUSED, PAUSED.stable))
    assert decide(an_entry(gone), a_request("promote"), PASS, at(1)).after.weight == 100
    with pytest.raises(TransitionError, match="You can't promote now"):
        decide(an_entry(replace(gone, step=3, base=3)), a_request("promote"), PASS, at(1))


def test_a_paused_bake_that_drifted_is_not_finished_over_somebody_elses_weights() -> None:
    paused = an_entry(replace(PROMOTED, phase=Phase.PAUSED, left=Phase.PROMOTED, drift=DRIFT))
    with pytest.raises(TransitionError, match="You can't finish now"):
        decide(paused, a_request("finish"), None, at(1))


def test_an_approved_step_waits_for_the_gateway_to_accept_the_last_one() -> None:
    entry = an_entry(AWAITING, acceptance=Acceptance.WAITING)
    after = decide(entry, a_request("approve"), PASS, at(1, by=BOB)).after
    assert (after.phase, after.weight, after.why) == (
        Phase.HOLDING,
        25,
        "The gateway has not accepted the last weight yet.",
    )


def test_promote_keeps_the_approvals_that_were_given_for_100() -> None:
    asked = replace(AWAITING, ask=Ask(id="d2", step=3, approvals=(BOB,)), plan=replace(PLAN, approvals=2))
    with pytest.raises(TransitionError, match="100 % is waiting for approval already"):
        decide(an_entry(asked), a_request("promote", by=CAROL), PASS, at(1))


def test_a_canary_that_is_taken_over_has_the_share_it_had() -> None:
    rule = replace(a_rollout().rules[0], stable_before=90, canary_before=10)
    waiting = a_rollout(rules=(rule,), phase=Phase.AWAITING_APPROVAL, step=-1, base=-1)
    assert waiting.weight == 10


def test_roll_back_gives_the_route_back_and_needs_no_gate() -> None:
    after = decide(an_entry(PROMOTED), a_request("rollback", reason="errors"), None, at(1, by=BOB)).after
    assert (after.phase, after.why, wanted(after)) == (Phase.ROLLED_BACK, "errors", (Pair(1, None),))


def test_a_taken_over_canary_goes_to_zero_and_stays() -> None:
    rule = replace(a_rollout().rules[0], canary_before=5, stable_before=95)
    after = decide(an_entry(a_rollout(rules=(rule,))), a_request("rollback"), None, at(1)).after
    assert wanted(after) == (Pair(95, 0),)


def test_roll_back_again_is_a_new_decision() -> None:
    back = a_rollout(phase=Phase.ROLLED_BACK, by=ALICE, why="p99 doubled")
    change = decide(an_entry(back), a_request("rollback"), None, at(1, by=BOB))
    after = change.after
    assert (after.phase, after.revision, after.decision) == (Phase.ROLLED_BACK, 3, "d3")
    assert (after.by, after.why) == (ALICE, "p99 doubled")
    assert change.events == (Event(kind=EventKind.WRITTEN_AGAIN, at=at(1).now, by=BOB, weight=0),)


def test_the_card_keeps_who_rolled_back_first_and_the_thread_tells_the_other_reason() -> None:
    back = a_rollout(phase=Phase.ROLLED_BACK, by=ALICE, why="p99 doubled")
    change = decide(an_entry(back), a_request("rollback", reason="and errors"), None, at(1, by=BOB))
    assert (change.after.by, change.after.why) == (ALICE, "p99 doubled")
    assert [(told.by, told.reason) for told in change.events] == [(BOB, "and errors")]


def test_finish_leaves_only_the_canary() -> None:
    change = decide(an_entry(PROMOTED), a_request("finish"), None, at(1))
    assert (change.after.phase, wanted(change.after)) == (Phase.FINISHED, (Pair(None, 100),))


def test_finish_takes_up_a_paused_bake() -> None:
    paused = an_entry(replace(PROMOTED, phase=Phase.PAUSED, left=Phase.PROMOTED))
    assert decide(paused, a_request("finish"), None, at(1)).after.phase is Phase.FINISHED


def test_end_stops_managing_the_route_and_the_weights_stay() -> None:
    after = decide(an_entry(), a_request("end"), None, at(1)).after
    assert (after.phase, after.hands_off, after.step) == (Phase.ENDED, True, 0)


def test_a_button_of_an_older_card_is_refused_in_words() -> None:
    with pytest.raises(StaleError) as refused:
        decide(an_entry(), a_request("advance", turn=1), PASS, at(1))
    assert str(refused.value) == (
        "The rollout has moved on since that button was drawn: "
        "`vllm-llama3-8b-instruct-new` is progressing at 10 % now. Press again if you still want it."
    )


LATER = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("verb", "rollout"),
    [
        ("approve", replace(AWAITING, since=NOON + LATER)),  # of an ask, or a whole rollout, that came after
        ("reject", replace(AWAITING, since=NOON + LATER)),
        ("advance", a_rollout(decided_at=NOON + LATER)),  # the timer stepped meanwhile
        ("promote", a_rollout(decided_at=NOON + LATER)),
        ("resume", replace(PAUSED, decided_at=NOON + LATER)),
        ("restore", replace(PAUSED, drift=DRIFT, decided_at=NOON + LATER)),
        ("adopt", replace(PAUSED, drift=DRIFT, decided_at=NOON + LATER)),
    ],
)
def test_words_that_were_held_up_do_not_raise_what_people_did_not_see(verb: str, rollout: Rollout) -> None:
    with pytest.raises(StaleError, match="The rollout has moved on since you asked"):
        decide(an_entry(rollout), a_request(verb, reason="p99"), PASS, at(1))


def test_an_approval_counts_that_was_typed_while_another_one_was_decided() -> None:
    entry = an_entry(replace(AWAITING, decided_at=NOON + LATER))
    assert decide(entry, a_request("approve"), PASS, at(1)).after.weight == 50


@pytest.mark.parametrize("verb", ["rollback", "pause"])
def test_the_brakes_are_never_stale(verb: str) -> None:
    assert decide(an_entry(), a_request(verb, turn=1), None, at(1)).after.revision == 3


@pytest.mark.parametrize("phase", list(Phase))
@pytest.mark.parametrize("verb", [verb.name for verb in verbs() if verb.kind is Kind.ORDER])
def test_every_verb_fits_its_phases_and_refuses_the_others_with_the_next_action(verb: str, phase: Phase) -> None:
    rollout: Rollout = a_rollout(phase=phase, ask=Ask(id="d2", step=2), step=1, base=1)
    request = a_request(verb, reason="because")
    if verb in ("restore", "adopt"):
        rollout = replace(rollout, drift=DRIFT)
    if verb == "keep":
        rollout = replace(rollout, plan=replace(rollout.plan, keep=timedelta(days=1)), kept_until=NOON)
    if verb_of(verb).fits(rollout):
        assert decide(an_entry(rollout), request, PASS, at(1)).after.revision == 3
    else:
        with pytest.raises(TransitionError) as refused:
            decide(an_entry(rollout), request, PASS, at(1))
        assert refused.value.hint == what_works_now(rollout)


@pytest.mark.parametrize("verb", ["end", "finish"])
def test_kept_words_do_not_undo_what_people_decided_later(verb: str) -> None:
    later = an_entry(a_rollout(phase=Phase.PAUSED, left=Phase.PROMOTED, since=NOON + timedelta(minutes=1)))
    with pytest.raises(StaleError, match="The rollout has moved on since you asked"):
        require_fit(later, a_request(verb))
    require_fit(an_entry(a_rollout(phase=Phase.PROMOTED, since=NOON)), a_request(verb))


def test_the_old_pool_stays_on_the_route_until_the_gateway_has_accepted_100() -> None:
    with pytest.raises(TransitionError, match="The gateway has not accepted the last weight yet"):
        decide(
            an_entry(a_rollout(phase=Phase.PROMOTED), acceptance=Acceptance.WAITING), a_request("finish"), None, at(1)
        )
