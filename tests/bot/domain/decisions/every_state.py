"""Every state that a rollout can come into: the pure core, driven breadth-first through all that can happen to it.

The store is the few lines of bot/store/lua/ that move an entry, the route a pair of weights; whoever acts on them
(people, the timer, the gateway, other hands, an API server that fails) may do so in any order.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from bot.domain.deadlines import ACCEPT_WITHIN, POLL_ACCEPTANCE, WRITE_WITHIN
from bot.domain.decisions.by_cluster import owned, pool_gone, stable_back
from bot.domain.decisions.by_people import decide
from bot.domain.decisions.by_route import adopted, applied_by, foreign_owner, gone, raises, taken_back
from bot.domain.decisions.by_time import (
    ASKS_GATES,
    LookAgain,
    on_accepted,
    on_due,
    on_failed,
    on_rejected,
    on_unwritten,
)
from bot.domain.decisions.drift import drifted, is_fight
from bot.domain.decisions.moves import Moment, end
from bot.domain.decisions.start import start
from bot.domain.errors import UserError
from bot.domain.gate import GateAnswer, OnFail, Verdict
from bot.domain.plan import Plan
from bot.domain.rollout import Acceptance, Applied, Change, Entry, Hand, Pair, Phase, Rollout, Trouble, wanted
from bot.domain.verbs.declaration import Kind
from bot.domain.verbs.registry import verbs
from tests.builders import (
    ALICE,
    BOB,
    CANARY,
    CAROL,
    HOLD,
    NOON,
    PASS,
    PLAN,
    READY,
    RULE,
    a_request,
    a_rollout,
    a_verdict,
)

Pairs = tuple[Pair | None, ...]
EMPTY = replace(READY, stable_ready=0)
FAIL = a_verdict(GateAnswer.FAIL, "5xx doubled.", gate="errors")
FAIL_NO_WAY_BACK = replace(FAIL, readiness=EMPTY)
FAIL_PAUSES = a_verdict(GateAnswer.FAIL, "5xx doubled.", gate="errors", on_fail=OnFail.PAUSE)
VERDICTS = (PASS, HOLD, FAIL, FAIL_NO_WAY_BACK, FAIL_PAUSES)
WAITS = tuple(timedelta(**by) for by in ({"seconds": 0}, {"minutes": 31}, {"days": 3}, {"days": 8}))
"""How late the timer comes: in time, and after whole deadlines."""

MARKED = replace(PLAN, steps=(10, 50, 100), approve_at=(50,))
ARGO = Hand(manager="argocd-controller", rule="Add the ignore rule.")
ROUTE = ("default", "llm-route", "uid-1")


@dataclass(frozen=True)
class World:
    """One rollout as the store has it, the weights on its route, the time, and how it came to this."""

    entry: Entry
    route: Pairs
    now: datetime
    story: tuple[str, ...] = ()

    @property
    def rollout(self) -> Rollout:
        return self.entry.rollout

    def moment(self, by: str = "") -> Moment:
        return Moment(now=self.now, decision=f"d{self.rollout.revision + 1}", by=by)

    def key(self) -> tuple[object, ...]:
        """What tells two states apart for what can happen next; of times only whether they are up."""
        entry, rollout = self.entry, self.rollout
        due = (entry.due is None, entry.due is not None and entry.due <= self.now)
        written = (entry.applied is not None, entry.is_applied, entry.trouble is not None, entry.acceptance, due)
        if rollout.is_over:
            return (rollout.phase, written)
        ask = rollout.ask and (rollout.ask.step, len(rollout.ask.approvals))
        there = entry.applied and entry.applied.weight == rollout.weight
        drift = (
            rollout.drift and rollout.drift.found,
            rollout.overwrites and rollout.overwrites.found,
            is_fight(rollout),
            min(len(rollout.restored), 2),
        )
        where = (rollout.phase, rollout.step, rollout.base, rollout.left, len(rollout.plan.steps), ask)
        return (where, written, there, drift, self.route == wanted(rollout))

    # --- the store

    def save(self, name: str, change: Change | None, applied: Applied | None = None, **settled: bool) -> "World":
        """Do what the script SAVE does."""
        if change is None:
            return self
        old, to = self.entry, change.after
        listens = change.due is not None and not to.is_over and old.acceptance is Acceptance.WAITING
        entry = replace(
            old,
            rollout=to,
            applied=applied or old.applied,
            pending=() if settled else (*(() if applied else old.pending), to.decision),
            due=to.decided_at + POLL_ACCEPTANCE if listens else change.due,
            step_due=None if listens else change.step_due,
        )
        return replace(self, entry=entry, story=(*self.story, name))

    def settle(self, name: str, change: Change) -> "World":
        return self.save(name, change, _applied(change.after, self.now), settled=True)

    def write(self) -> "World":
        """Do what apply and the script APPLIED do."""
        entry, rollout = self.entry, self.rollout
        route: Pairs = self.route if rollout.hands_off else wanted(rollout)
        moved = route != self.route or (entry.due is None and not rollout.is_over)
        entry = replace(entry, applied=_applied(rollout, self.now), pending=(), trouble=None)
        if moved:
            entry = replace(entry, acceptance=Acceptance.WAITING, due=self.now + POLL_ACCEPTANCE, step_due=None)
        return replace(self, entry=entry, route=route, story=(*self.story, "written"))

    def learn(self, name: str, **known: Any) -> "World":
        return replace(self, entry=replace(self.entry, **known), story=(*self.story, name))

    def carry_out(self, name: str, outcome: Change | LookAgain | None) -> "World":
        """Do what a tick does with a decision."""
        if isinstance(outcome, LookAgain):
            return self.learn(name, due=outcome.due, step_due=outcome.step_due)
        return self.save(name, outcome)

    def at(self, now: datetime) -> "World":
        return replace(self, now=max(self.now, now))


@cache
def reachable(plan: Plan = MARKED, canary_before: int | None = None) -> tuple[World, ...]:
    """Return one world for each state, those that are reached soonest first."""
    begun = [_started(plan, canary_before, held) for held in (None, HOLD)]
    found, waiting = {world.key(): world for world in begun}, deque(begun)
    while waiting:
        for world in _next(waiting.popleft()):
            if world.key() not in found:
                found[world.key()] = world
                waiting.append(world)
    return tuple(found.values())


def _started(plan: Plan, canary_before: int | None, held: Verdict | None) -> World:
    rules, some = (replace(RULE, canary_before=canary_before),), a_rollout()
    moment, request = Moment(now=NOON, decision="d1", by=ALICE), a_request("start", by=ALICE)
    change = start(request, plan, moment, route=ROUTE, stable=some.stable, canary=some.canary, rules=rules, held=held)
    entry = Entry(rollout=change.after, pending=("d1",), due=change.due, step_due=change.step_due)
    return World(entry, (Pair(RULE.stable_before, canary_before),), NOON, ("held at its start" if held else "started",))


def _next(world: World) -> Iterator[World]:
    for happens in (_people, _writes, _timer, _gateway, _others):
        yield from happens(world)


def _people(world: World) -> Iterator[World]:
    for verb in (verb.name for verb in verbs() if verb.kind is Kind.ORDER):
        for by in (ALICE, BOB, CAROL) if verb == "approve" else (BOB,):
            request = a_request(verb, by=by, reason="Because." if verb == "reject" else "", subject=CANARY)
            for verdict in (PASS, HOLD):
                try:
                    change = decide(world.entry, request, verdict, world.moment(by))
                except UserError:
                    break  # whatever the gates say
                yield world.save(f"{verb} by {by}", change)


def _writes(world: World) -> Iterator[World]:
    """The route is written in time, or not: refused, or failing for longer than a step up may take."""
    entry = world.entry
    if entry.is_applied:
        return
    yield world.write()
    trouble = Trouble(since=world.now, reason="The API server did not answer.", attempts=1)
    yield world.learn("not written", trouble=trouble)
    late = world.at(world.rollout.decided_at + WRITE_WITHIN)
    yield late.learn("not written for a minute", trouble=trouble)
    if raises(world.rollout):
        yield late.save("taken back", taken_back(entry, "It could not be written.", late.moment()))
    if entry.applied is None:
        yield world.settle("refused", foreign_owner(entry, world.rollout, world.moment()))


def _timer(world: World) -> Iterator[World]:
    entry = world.entry
    for wait in WAITS if entry.due is not None else ():
        then = world.at(entry.due + wait) if entry.due else world
        if not entry.is_applied:
            yield then.carry_out(f"due {wait} ago, not written", on_unwritten(entry, then.moment()) or _as_it_is(entry))
        elif entry.acceptance is not Acceptance.WAITING:
            for verdict in VERDICTS if world.rollout.phase in ASKS_GATES else (None,):
                yield then.carry_out(f"due {wait} ago, {verdict and verdict.answer}", _on_due(then, verdict))
            for verdict in VERDICTS:
                yield then.save(f"between steps, {verdict.answer}", on_failed(entry, verdict, then.moment()))
            if world.rollout.phase is Phase.FINISHED:
                yield then.settle("followed", end(entry, "A newer rollout has the route.", then.moment()))


def _as_it_is(entry: Entry) -> LookAgain:
    return LookAgain(due=entry.due, step_due=entry.step_due)


def _on_due(world: World, verdict: Verdict | None) -> Change | LookAgain:
    return on_due(world.entry, verdict, world.moment())


def _gateway(world: World) -> Iterator[World]:
    entry = world.entry
    if not entry.is_applied or entry.acceptance is not Acceptance.WAITING or entry.applied is None:
        return
    late = world.at(entry.applied.at + ACCEPT_WITHIN)
    words: list[tuple[str, World, Acceptance, Callable[[World], Change | LookAgain]]] = [
        ("accepted", world, Acceptance.ACCEPTED, lambda then: on_accepted(then.entry, then.moment())),
        ("no word", late, Acceptance.UNKNOWN, lambda then: on_accepted(then.entry, then.moment())),
        ("rejected", world, Acceptance.UNKNOWN, lambda then: on_rejected(then.entry, "No.", then.moment())),
    ]
    for name, then, acceptance, decides in words:
        heard = replace(then, entry=replace(entry, acceptance=acceptance))
        yield heard.carry_out(name, decides(heard))


def _others(world: World) -> Iterator[World]:
    entry, rollout, moment = world.entry, world.rollout, world.moment()
    for pool in (rollout.canary, rollout.stable):
        yield world.save(f"{pool.name} deleted", pool_gone(entry, pool, moment))
    yield world.save("old pool back", stable_back(entry, moment))
    yield world.save("owned", owned(entry, "Argo Rollouts moves the weights.", moment))
    if not rollout.is_over:
        yield world.settle("route deleted", gone(entry, "HTTPRoute `llm-route` is not there.", moment))
    if entry.is_applied and not rollout.is_over and rollout.phase is not Phase.FINISHED:
        for found in (Pair(60, 40), None):
            edited = replace(world, route=(found,))
            yield edited.save(f"edited to {found}", drifted(entry, ARGO, (found,), moment))
        note = replace(rollout, phase=Phase.ROLLED_BACK, revision=rollout.revision + 1, decision="terminal")
        there = replace(world, route=wanted(note))
        yield there.save("rolled back elsewhere", adopted(entry, note, moment), applied_by(note, 9))


def _applied(rollout: Rollout, now: datetime) -> Applied:
    return Applied(revision=rollout.revision, decision=rollout.decision, weight=rollout.weight, at=now, generation=2)
