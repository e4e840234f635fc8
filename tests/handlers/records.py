"""Builders: a rollout in any phase, with only what a test is about spelled out."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from bot.domain.access import Access
from bot.domain.decisions.drift import say_drift
from bot.domain.gate import Readiness
from bot.domain.rollout import Acceptance, Applied, Ask, Drift, Entry, Hand, Pair, Phase, Rollout
from tests import builders
from tests.builders import BOB, DRIFT, NOON

OLD, NEW = builders.STABLE, builders.CANARY
ROOM = "C0INFER001"
ANYBODY = Access()


def a_rollout(**changes: Any) -> Rollout:
    """At 25 %, ten minutes before the question for 50 %."""
    at_25 = {"started_at": NOON - timedelta(minutes=25), "step": 1, "revision": 3, "decision": "d3", "turn": 4}
    return builders.a_rollout(**{**at_25, **changes})


def ready(canary: int = 4, stable: int = 8) -> Readiness:
    return Readiness(canary_ready=canary, canary_of=4, stable_ready=stable, stable_of=8, at=NOON)


def an_entry(rollout: Rollout | None = None, **changes: Any) -> Entry:
    """Applied and accepted, unless said otherwise."""
    rollout = rollout or a_rollout()
    entry = Entry(
        rollout=rollout,
        applied=Applied(revision=rollout.revision, decision=rollout.decision, weight=rollout.weight, at=NOON),
        acceptance=Acceptance.ACCEPTED,
        due=NOON + timedelta(minutes=10),
        step_due=NOON + timedelta(minutes=10),
        readiness=ready(),
    )
    return replace(entry, **changes)


def applied(weight: int, decision: str = "d2") -> Applied:
    return Applied(revision=2, decision=decision, weight=weight, at=NOON)


def awaiting(**changes: Any) -> Rollout:
    return a_rollout(phase=Phase.AWAITING_APPROVAL, ask=Ask(id="a1", step=2), **changes)


def drifting(hand: Hand = DRIFT.hand, *, found: tuple[Pair | None, ...] = DRIFT.found, **changes: Any) -> Rollout:
    """Paused at 25 % because somebody set 40 %."""
    drift = Drift(hand=hand, found=found)
    rollout = a_rollout(phase=Phase.PAUSED, left=Phase.PROGRESSING, drift=drift, **changes)
    return replace(rollout, why=say_drift(rollout))


def in_phase(phase: Phase) -> Rollout:
    """A likely rollout in every phase."""
    steps = {Phase.STARTING: 0, Phase.PROMOTED: 3, Phase.FINISHED: 3, Phase.CLEANED: 3}
    whys = {
        Phase.HOLDING: "Pool `default/new` has no ready endpoint",
        Phase.PAUSED: "Rejected: latency doubled",
        Phase.ROLLED_BACK: "errors on the new nodes",
        Phase.REFUSED: "The gateway refused the route: unknown backend",
    }
    ask = Ask(id="a1", step=2) if phase is Phase.AWAITING_APPROVAL else None
    left = Phase.AWAITING_APPROVAL if phase is Phase.PAUSED else None
    by = BOB if phase in (Phase.PAUSED, Phase.ROLLED_BACK, Phase.ENDED) else ""
    step = steps.get(phase, 1)
    base = -1 if phase is Phase.STARTING else step
    return a_rollout(phase=phase, step=step, base=base, why=whys.get(phase, ""), ask=ask, left=left, by=by)


TAKEN_OVER = a_rollout(
    phase=Phase.STARTING,
    step=0,
    base=-1,
    rules=(replace(builders.RULE, stable_before=80, canary_before=20),),
    plan=replace(builders.PLAN, steps=(25, 50, 100)),
)
"""About to write 25 % where the canary has 20 % from before."""
