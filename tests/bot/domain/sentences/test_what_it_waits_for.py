from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.access import Access
from bot.domain.deadlines import ACCEPT_WITHIN
from bot.domain.rollout import OVER, Acceptance, Applied, Ask, Entry, Pair, Phase, Trouble
from bot.domain.sentences.what_it_waits_for import waits, why
from bot.domain.sentences.where_it_stands import state
from bot.domain.sentences.who_may import approvers_aloud
from handlers.mrkdwn import mrkdwn
from tests.builders import ALICE, BOB, CAROL, DRIFT, NOON, PLAN
from tests.handlers.records import ANYBODY, a_rollout, an_entry, applied, awaiting, in_phase


@pytest.mark.parametrize("phase", sorted(OVER - {Phase.ENDED}))
def test_a_finished_rollout_waits_for_nothing(phase: Phase) -> None:
    wait = waits(an_entry(in_phase(phase)), ANYBODY)
    assert (wait.deadline, str(wait.who), str(wait.then)) == (None, "", "It waits for nothing.")


def test_the_sentence_of_a_step() -> None:
    assert str(why(waits(an_entry(a_rollout(step=0)), ANYBODY))) == (
        "It waits at 10 % before 25 % (since 23 Nov 12:00 UTC). "
        "Any full member can `advance` it now. It goes to 25 % 23 Nov 12:10 UTC."
    )


@pytest.mark.parametrize(
    ("gates", "named"),
    [((), ""), (("errors",), " because of `errors`"), (("errors", "latency"), " because of `errors` and `latency`")],
)
def test_the_sentence_of_a_hold_names_its_gates(gates: tuple[str, ...], named: str) -> None:
    rollout = a_rollout(phase=Phase.HOLDING, step=0, why="The new pool has had 31 requests.", held_by=gates)
    assert str(why(waits(an_entry(rollout), ANYBODY))) == (
        f"It holds at 10 %{named} (since 23 Nov 12:00 UTC): The new pool has had 31 requests. "
        "I ask again every 30 s. Any full member can `pause` or `rollback` it. "
        "If it still has to wait, it pauses 23 Nov 12:30 UTC."
    )


def test_the_sentence_of_an_approval_names_who_counts() -> None:
    access = Access(approve=frozenset({ALICE, BOB}))
    assert str(why(waits(an_entry(awaiting()), access))) == (
        "It waits for 1 approval of 50 % (since 23 Nov 12:00 UTC). "
        f"{BOB} can `approve` it; {ALICE} or {BOB} can `reject` it. It pauses 24 Nov 12:00 UTC."
    )


def test_given_approvals_are_no_longer_waited_for() -> None:
    rollout = awaiting(plan=replace(a_rollout().plan, approvals=3))
    given = replace(rollout, ask=Ask(id="a1", step=2, approvals=(BOB,)))
    assert "It waits for 2 approvals of 50 %" in str(waits(an_entry(given), ANYBODY).reason)


def test_backticks_are_code_in_our_reasons_but_not_in_a_persons() -> None:
    paused = a_rollout(phase=Phase.PAUSED, why="`<!channel>` *no*.", by=BOB)
    drawn = [mrkdwn(why(waits(an_entry(replace(paused, by=by)), ANYBODY))).split(": ")[1] for by in (BOB, "")]
    assert [said.split(" Any")[0] for said in drawn] == ["ˋ&lt;!channel&gt;ˋ ∗no∗.", "`&lt;!channel&gt;` ∗no∗."]


def test_people_who_may_not_approve_are_not_named() -> None:
    starter = Access(approve=frozenset({ALICE}))
    assert str(waits(an_entry(awaiting()), starter).who) == (
        f"Nobody whom the policy lists can `approve` it; {ALICE} can `reject` it."
    )
    two = replace(awaiting(), plan=replace(PLAN, approvals=2), ask=Ask(id="a1", step=2, approvals=(BOB,)))
    listed = Access(approve=frozenset({ALICE, BOB, CAROL}))
    assert (
        str(waits(an_entry(two), listed).who) == f"{CAROL} can `approve` it; {ALICE}, {BOB} or {CAROL} can `reject` it."
    )
    assert str(waits(an_entry(two), ANYBODY).who) == (
        f"Any full member but {ALICE} or {BOB} can `approve` it; any full member can `reject` it."
    )
    assert str(approvers_aloud(awaiting(), starter)) == "nobody whom the policy lists"


def test_an_unwritten_step_up_waits_a_minute_and_no_longer() -> None:
    trouble = Trouble(since=NOON, reason="The API server did not answer.", attempts=2)
    wait = waits(an_entry(applied=applied(10), trouble=trouble), ANYBODY)
    assert str(why(wait)) == (
        "It waits for the route: 25 % is wanted, 10 % is known to be there (since 23 Nov 12:00 UTC): "
        "The API server did not answer. Any full member can `rollback` it. "
        "I keep trying, and take it back if the gates do not pass 23 Nov 12:01 UTC."
    )


def test_after_a_week_of_reminders_it_says_that_no_more_come() -> None:
    wait = waits(an_entry(in_phase(Phase.FINISHED), due=None), ANYBODY)
    assert (wait.deadline, str(wait.then)) == (None, "No more reminders come; a new start on the route ends it.")


@pytest.mark.parametrize("phase", [Phase.REFUSED, Phase.CLEANED])
def test_why_names_nobody_for_a_roll_back_that_would_be_refused(phase: Phase) -> None:
    assert str(waits(an_entry(in_phase(phase), applied=applied(25)), ANYBODY).who) == ""


def test_an_unwritten_roll_back_is_tried_for_ever() -> None:
    wait = waits(an_entry(in_phase(Phase.ROLLED_BACK), applied=applied(25)), ANYBODY)
    assert (wait.deadline, str(wait.then)) == (None, "I keep trying until it is written.")


@pytest.mark.parametrize(
    ("phase", "end"),
    [
        (Phase.HOLDING, "If it still has to wait, it pauses 23 Nov 12:30 UTC."),
        (Phase.AWAITING_APPROVAL, "It pauses 24 Nov 12:00 UTC."),
        (Phase.PAUSED, "The next reminder comes 23 Nov 16:00 UTC."),
    ],
)
def test_a_deadline_that_does_not_wait_for_the_route_is_named_with_it(phase: Phase, end: str) -> None:
    entry = an_entry(in_phase(phase), applied=applied(25), due=None)
    assert str(why(waits(entry, ANYBODY))) == (
        "It waits for the route: the bot's note on it is not written yet (since 23 Nov 12:00 UTC). "
        f"Any full member can `rollback` it. I keep trying until it is written. {end}"
    )


def test_while_the_gateway_is_silent_it_is_the_gateway_that_is_waited_for() -> None:
    rollout = a_rollout()
    there = Applied(revision=3, decision="d3", weight=25, at=NOON)
    entry = Entry(rollout=rollout, applied=there, acceptance=Acceptance.WAITING, due=NOON + timedelta(seconds=5))
    assert str(why(waits(entry, ANYBODY))) == (
        "It waits for the gateway to accept 25 % (since 23 Nov 12:00 UTC). "
        "Any full member can `rollback` it. If the gateway has not answered, it goes on 23 Nov 12:01 UTC."
    )


@pytest.mark.parametrize(("phase", "what"), [(Phase.STARTING, "the first 10 %"), (Phase.PROMOTED, "100 %")])
def test_the_gateway_has_until_a_minute_after_the_write_and_not_until_the_next_look(phase: Phase, what: str) -> None:
    entry = an_entry(in_phase(phase), acceptance=Acceptance.WAITING, due=NOON + timedelta(seconds=5))
    wait = waits(entry, ANYBODY)
    assert str(wait.reason) == f"It waits for the gateway to accept {what}"
    assert wait.deadline == NOON + ACCEPT_WITHIN


@pytest.mark.parametrize(
    ("phase", "there", "what"),
    [
        (Phase.PAUSED, 25, "the bot's note on it is not written yet"),
        (Phase.ENDED, 10, "the bot's note on it is not written yet"),
        (Phase.ROLLED_BACK, 0, "the roll back is not written yet"),
        (Phase.FINISHED, 100, "the old pool is not known to be off it yet"),
    ],
)
def test_where_no_weight_differs_none_is_said_to_be_missing(phase: Phase, there: int, what: str) -> None:
    wait = waits(an_entry(in_phase(phase), applied=applied(there)), ANYBODY)
    assert str(wait.reason) == f"It waits for the route: {what}"


@pytest.mark.parametrize(
    ("by", "reason"),
    [(BOB, "It was ended; the weights stay as they were then"), ("", "It ended, and I no longer manage the route")],
)
def test_an_end_without_a_person_says_nothing_about_weights(by: str, reason: str) -> None:
    entry = an_entry(replace(in_phase(Phase.ENDED), by=by, why="HTTPRoute `a/b` is not there (404)."))
    assert str(waits(entry, ANYBODY).reason) == reason


def test_drift_says_whose_weights_they_are() -> None:
    why_so = "`kubectl-edit` changed the weights (old/new): 75/25 before, 60/40 now."
    wait = waits(an_entry(a_rollout(phase=Phase.PAUSED, drift=DRIFT, why=why_so)), ANYBODY)
    assert (str(wait.reason), wait.said, str(wait.who)) == (
        "It is paused because somebody else wrote to the route",
        why_so,
        "Any full member can `restore`, `adopt`, `end` or `rollback` it.",
    )


@pytest.mark.parametrize(
    ("found", "ways"),
    [
        ((Pair(1, 0),), "Any full member can `restore`, `end` or `rollback` it."),
        ((None,), "It goes on when the route is put right. Any full member can `end` or `rollback` it."),
    ],
)
def test_a_drift_offers_only_the_ways_out_that_there_are(found: tuple[Pair | None, ...], ways: str) -> None:
    rollout = a_rollout(phase=Phase.PAUSED, drift=replace(DRIFT, found=found))
    assert str(waits(an_entry(rollout), ANYBODY).who) == ways


def test_people_who_may_not_roll_back_are_not_named_for_it() -> None:
    paused = an_entry(a_rollout(phase=Phase.PAUSED))
    lists = Access(run=frozenset({ALICE}), rollback=frozenset({BOB}))
    assert str(waits(paused, lists).who) == f"{ALICE} can `resume` or `end` it. {BOB} can `rollback` it."
    assert str(state(paused, lists)).endswith(f"Waits for {ALICE} to resume, or {BOB} to roll back.")
