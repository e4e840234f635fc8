"""Values for tests: say only what the test is about."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.domain.commands.origin import Origin, Surface
from bot.domain.commands.request import Command, Request
from bot.domain.decisions.moves import Moment
from bot.domain.gate import Finding, GateAnswer, Readiness, Verdict
from bot.domain.plan import Plan
from bot.domain.rollout import Acceptance, Applied, Drift, Entry, Hand, Pair, Phase, Pool, Rollout, Rule

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
ALICE, BOB, CAROL = "U0ALICE001", "U0BOB00001", "U0CAROL001"
STABLE, CANARY = "vllm-llama3-8b-instruct", "vllm-llama3-8b-instruct-new"

READY = Readiness(canary_ready=4, canary_of=4, stable_ready=8, stable_of=8, at=NOON)
IN_CHANNEL = Origin(surface=Surface.CHANNEL, channel="C0INFER001")

PASS = Verdict(findings=(Finding(gate="pools_ready", answer=GateAnswer.PASS),), readiness=READY)


def a_verdict(answer: GateAnswer, reason: str, *, gate: str = "pools_ready", **finding: Any) -> Verdict:
    """Return what one gate that does not pass makes of the gates' word."""
    return Verdict(findings=(Finding(gate=gate, answer=answer, reason=reason, **finding),), readiness=READY)


HOLD = a_verdict(GateAnswer.HOLD, "`new` has no ready model server.")

PLAN = Plan(
    steps=(10, 25, 50, 100),
    interval=timedelta(minutes=10),
    bake=timedelta(minutes=30),
    approve_at=(50, 100),
    approvals=1,
)

RULE = Rule(
    key="matches:all",
    index=0,
    stable_ref='{"group":"inference.networking.k8s.io","kind":"InferencePool","name":"vllm-llama3-8b-instruct","weight":1}',
    stable_index=0,
    stable_before=1,
    canary_before=None,
)

DRIFT = Drift(hand=Hand(manager="kubectl-edit", at=NOON), found=(Pair(60, 40),))


def a_rollout(**changes: Any) -> Rollout:
    """Return a rollout that progresses at 10 %."""
    rollout = Rollout(
        id="r-7f3a2c01",
        channel="C0INFER001",
        started_by=ALICE,
        started_at=NOON,
        reason="H100 nodes",
        namespace="default",
        route="llm-route",
        route_uid="uid-1",
        stable=Pool("default", STABLE),
        canary=Pool("default", CANARY),
        rules=(RULE,),
        plan=PLAN,
        phase=Phase.PROGRESSING,
        since=NOON,
        step=0,
        base=0,
        revision=2,
        decision="d2",
        decided_at=NOON,
        turn=2,
    )
    return replace(rollout, **changes)


def applied(rollout: Rollout) -> Applied:
    """Return what says that a rollout's decision is on the route."""
    return Applied(revision=rollout.revision, decision=rollout.decision, weight=rollout.weight, at=NOON, generation=2)


def an_entry(rollout: Rollout | None = None, **changes: Any) -> Entry:
    """Return an entry whose rollout is on the route and accepted."""
    rollout = rollout or a_rollout()
    entry = Entry(rollout=rollout, applied=applied(rollout), acceptance=Acceptance.ACCEPTED, due=NOON, step_due=NOON)
    return replace(entry, **changes)


def a_request(verb: str, *, by: str = BOB, reason: str = "", subject: str = CANARY, **changes: Any) -> Request:
    """Return a request that Bob typed."""
    command = Command(verb=verb, subject=subject, reason=reason)
    request = Request(command=command, by=by, origin=IN_CHANNEL, delivery="delivery-1", at=NOON)
    return replace(request, **changes)


def at(minutes: float = 0, *, by: str = "", decision: str = "d3") -> Moment:
    """Return a moment some minutes after noon."""
    return Moment(now=NOON + timedelta(minutes=minutes), decision=decision, by=by)
