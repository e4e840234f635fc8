"""What a drift says, and what its two ways out make of it."""

from dataclasses import replace

import pytest

from bot.domain.decisions.by_people import decide
from bot.domain.decisions.drift import drifted, lacks_to_adopt, say_drift, say_why, share
from bot.domain.decisions.moves import pause
from bot.domain.errors import StaleError, TransitionError
from bot.domain.events import EventKind
from bot.domain.rollout import Drift, Entry, Hand, Pair, Phase, Rollout
from tests.builders import BOB, DRIFT, HOLD, NOON, PASS, RULE, a_request, a_rollout, an_entry, applied, at

ARGO = Hand(manager="argocd-controller", at=NOON, rule="Add the rule.")
BEFORE = "changed the weights (old/new): 90/10 before"


def found(*pairs: Pair | None, hand: Hand = DRIFT.hand, **changes: object) -> Rollout:
    """Paused at 10 % over other weights."""
    changes = {"rules": (RULE,) * len(pairs), **changes}
    return a_rollout(phase=Phase.PAUSED, left=Phase.PROGRESSING, drift=Drift(hand=hand, found=pairs), **changes)


def pressed(verb: str, rollout: Rollout) -> Entry:
    """Bob presses a button while the gates pass."""
    return an_entry(decide(an_entry(rollout), a_request(verb), PASS, at(1, by=BOB)).after)


@pytest.mark.parametrize(
    ("rollout", "said"),
    [
        (found(Pair(60, 40)), f"`kubectl-edit` {BEFORE}, 60/40 now."),
        (found(Pair(60, 40), Pair(60, 40)), f"`kubectl-edit` {BEFORE}, 60/40 now."),
        (found(Pair(60, 40), Pair(90, 10)), f"`kubectl-edit` {BEFORE}, 60/40, 90/10 now."),
        (found(Pair(1, None)), f"`kubectl-edit` {BEFORE}, 1/– now."),
        (found(None), f"`kubectl-edit` {BEFORE}, the rule is gone now."),
        (found(Pair(60, 40), hand=Hand()), f"Somebody {BEFORE}, 60/40 now."),
        (
            found(Pair(90, 10)),
            "`kubectl-edit` changed the bot's note on the route, or put the weights back: they are as before.",
        ),
        (found(Pair(60, 40), hand=ARGO, restored=("argocd-controller",)), f"`argocd-controller` {BEFORE}, 60/40 now."),
        (
            found(Pair(60, 40), hand=ARGO, restored=("argocd-controller",) * 2),
            f"You are fighting `argocd-controller`, which undid 2 restores ({BEFORE}, 60/40 now). Add the rule.",
        ),
        (
            found(Pair(60, 40), restored=("kubectl-edit", "argocd-controller", "kubectl-edit")),
            f"You are fighting `kubectl-edit`, which undid 2 restores ({BEFORE}, 60/40 now). "
            "Find out who it is, and have it leave the route's backendRefs alone.",
        ),
        (a_rollout(), ""),
    ],
)
def test_who_did_what(rollout: Rollout, said: str) -> None:
    assert say_drift(rollout) == said


@pytest.mark.parametrize(
    ("pairs", "percent"),
    [
        ((Pair(60, 40),), 40),
        ((Pair(3, 2), Pair(60, 40)), 40),
        ((Pair(999, 1),), 1),
        ((Pair(1, 999),), 99),
        ((Pair(5, 0),), 0),
        ((Pair(0, 0),), None),
        ((Pair(None, 100),), None),
        ((Pair(1, None),), None),
        ((None,), None),
        ((Pair(60, 40), Pair(50, 50)), None),
    ],
)
def test_the_share_of_what_was_found(pairs: tuple[Pair | None, ...], percent: int | None) -> None:
    assert share(Drift(hand=Hand(), found=pairs)) == percent


def test_people_hear_of_the_same_rival_once() -> None:
    first = drifted(an_entry(), DRIFT.hand, DRIFT.found, at(1))
    again = drifted(an_entry(first.after), DRIFT.hand, (Pair(50, 50),), at(2))
    other = drifted(an_entry(first.after), ARGO, (Pair(50, 50),), at(2))
    assert [[event.kind for event in change.events] for change in (first, again, other)] == [
        [EventKind.DRIFTED],
        [],
        [EventKind.DRIFTED],
    ]
    assert again.after.drift == Drift(hand=DRIFT.hand, found=(Pair(50, 50),))
    assert (again.after.left, again.after.why) == (Phase.PROGRESSING, f"`kubectl-edit` {BEFORE}, 50/50 now.")


def test_a_button_drawn_over_other_weights_is_old() -> None:
    first = drifted(an_entry(), DRIFT.hand, DRIFT.found, at(1)).after
    again = an_entry(drifted(an_entry(first), DRIFT.hand, (Pair(5, 95),), at(2)).after)
    with pytest.raises(StaleError):
        decide(again, a_request("adopt", turn=first.turn), None, at(3))


def test_a_restore_goes_on_at_our_weight_and_remembers_whom_it_overwrote() -> None:
    after = pressed("restore", found(Pair(60, 40))).rollout
    assert (after.phase, after.weight, after.drift, after.restored) == (Phase.PROGRESSING, 10, None, ("kubectl-edit",))


@pytest.mark.parametrize("verb", ["restore", "adopt"])
def test_what_was_before_a_drift_was_settled_is_no_evidence_any_more(verb: str) -> None:
    free = replace(a_rollout().plan, approve_at=())
    assert pressed(verb, found(Pair(60, 40), plan=free)).rollout.resumed_at == at(1).now


def test_a_restore_that_lowers_the_canary_needs_no_gate() -> None:
    change = decide(an_entry(found(Pair(60, 40))), a_request("restore"), HOLD, at(1))
    assert (change.after.phase, change.due) == (Phase.PROGRESSING, None)


@pytest.mark.parametrize("verb", ["pause", "end"])
def test_a_restore_that_is_not_on_the_route_is_taken_back_by_who_stops_it(verb: str) -> None:
    drift = found(Pair(100, 0)).drift
    change = decide(an_entry(found(Pair(100, 0))), a_request("restore"), PASS, at(1))
    unwritten = an_entry(change.after, applied=applied(found(Pair(100, 0))))
    asked = replace(a_request(verb, reason="No."), at=at(2).now)
    to = decide(unwritten, asked, None, at(2)).after
    assert (change.after.overwrites, to.drift, to.overwrites, to.hands_off) == (drift, drift, None, True)
    written = decide(an_entry(change.after), asked, None, at(2)).after
    assert (written.drift, written.overwrites) == (None, None)


def test_a_restore_that_was_taken_back_does_not_count_as_a_fight_and_the_drift_is_told_again() -> None:
    change = decide(an_entry(found(Pair(100, 0))), a_request("restore"), PASS, at(1))
    to = pause(Entry(rollout=change.after), "It could not be written.", at(2)).after
    assert (to.restored, say_why(to)) == ((), f"It could not be written. `kubectl-edit` {BEFORE}, 100/0 now.")


@pytest.mark.parametrize("theirs", [None, Pair(None, 100)])
def test_where_there_is_no_place_for_our_weights_they_are_not_restored(theirs: Pair | None) -> None:
    with pytest.raises(TransitionError) as refused:
        decide(an_entry(found(Pair(60, 40), theirs)), a_request("restore"), PASS, at(1))
    assert str(refused.value) == (
        "A rule of the rollout, or the old pool in it, is gone from the route. "
        "Put it back and try again; `rollback` works too."
    )


@pytest.mark.parametrize("theirs", [Pair(95, 5), Pair(1, None)])
def test_a_restore_that_raises_the_canary_needs_its_gates(theirs: Pair) -> None:
    with pytest.raises(TransitionError, match="no ready model server"):
        decide(an_entry(found(theirs)), a_request("restore"), HOLD, at(1))


@pytest.mark.parametrize(
    ("theirs", "steps", "phase", "weight"),
    [
        (Pair(60, 40), (10, 40, 50, 100), Phase.PROGRESSING, 40),
        (Pair(95, 5), (5, 10, 25, 50, 100), Phase.PROGRESSING, 5),
        (Pair(75, 25), (10, 25, 50, 100), Phase.PROGRESSING, 25),
        (Pair(0, 7), (10, 100), Phase.PROMOTED, 100),
    ],
)
def test_an_adopted_weight_is_the_present_step(theirs: Pair, steps: tuple[int, ...], phase: Phase, weight: int) -> None:
    free = replace(a_rollout().plan, approve_at=())
    after = pressed("adopt", found(theirs, plan=free)).rollout
    assert (after.plan.steps, after.phase, after.weight, after.weight_at(after.base), after.drift) == (
        steps,
        phase,
        weight,
        weight,
        None,
    )


@pytest.mark.parametrize(
    ("theirs", "lack"),
    [
        (Pair(1, None), "Adopt needs both pools in every rule, with the same split, and the route does not have that"),
        (Pair(1, 0), "The new pool has no traffic now"),
        (Pair(40, 60), "60 % reaches a weight that people have to approve"),
    ],
)
def test_weights_that_cannot_be_a_step_are_not_adopted(theirs: Pair, lack: str) -> None:
    rollout = found(theirs)
    assert lacks_to_adopt(rollout) == lack
    with pytest.raises(TransitionError) as refused:
        decide(an_entry(rollout), a_request("adopt"), None, at(1))
    assert str(refused.value) == f"{lack}. `restore` writes 10 % again; `rollback` works too."


@pytest.mark.parametrize("verb", ["restore", "adopt"])
def test_without_a_drift_there_is_nothing_to_restore_or_adopt(verb: str) -> None:
    paused = an_entry(a_rollout(phase=Phase.PAUSED, left=Phase.PROGRESSING))
    with pytest.raises(TransitionError, match="Nobody else has changed the weights"):
        decide(paused, a_request(verb), PASS, at(1))
