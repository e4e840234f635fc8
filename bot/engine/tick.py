"""Time: what the timer and the sweeps do with a rollout. It all ends in the same apply as a click."""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

from bot.domain.deadlines import LOOK_AT_STABLE_EVERY
from bot.domain.decisions.by_time import ASKS_GATES, LookAgain, after_roll_back, on_due, on_unwritten
from bot.domain.decisions.moves import Moment, let_go
from bot.domain.decisions.seen import with_figures
from bot.domain.errors import ClusterError, UnreadableError
from bot.domain.rollout import SLOTLESS, Acceptance, Applied, Change, Entry, Phase, Rollout
from bot.engine.apply import UNREADABLE, Applier, new_decision
from bot.engine.gateway_ear import GatewayEar, Heard, with_earlier_noes
from bot.engine.notes import strays
from bot.engine.pictures import beside
from bot.engine.ports import Clock, Gates
from bot.engine.route_port import Routes
from bot.engine.store_port import Progress, Save, Saved, Store

log = logging.getLogger(__name__)

WRITERS = 8

EARLY = timedelta(seconds=0.1)
"""By this much a clock may go back between the claim of a due time and its tick. The due time is then set again."""


class Ticker:
    """Handles rollouts that are due, and writes what is not written yet."""

    def __init__(self, routes: Routes, store: Store, clock: Clock, gates: Gates, applier: Applier) -> None:
        self._routes, self._store, self._clock, self._gates = routes, store, clock, gates
        self._applier, self._ear = applier, GatewayEar(routes)

    def tick(self, rollout_id: str) -> None:
        """Do what a due rollout wants. A tick that comes too early or twice does nothing."""
        try:
            stored = self._store.load(rollout_id)
        except UnreadableError:
            self._store.set_aside(rollout_id, self._clock.now() + UNREADABLE)
            return
        entry = self._on_its_route(stored)
        if entry is None or entry.due is None:
            self._store.forget_due(rollout_id)
        elif entry.due > self._clock.now() + EARLY:
            return
        elif not entry.is_applied:
            self._on_unwritten(entry)
        elif self._is_followed(entry.rollout):
            self._let_go(entry)
        elif entry.acceptance is Acceptance.WAITING and entry.applied is not None:
            self._follow(entry, self._ear.answer(entry, entry.applied, self._moment()))
        else:
            self._on_due(entry)

    def _on_its_route(self, entry: Entry | None) -> Entry | None:
        """First compare a route that has changed with its record: somebody may have rolled back without the store."""
        if entry is None or not entry.is_applied:
            return entry
        rollout = entry.rollout
        kept = self._routes.kept(rollout.namespace, rollout.route)
        if kept is None or kept.uid != rollout.route_uid:
            return entry
        if strays(kept, rollout, self._routes.observe(kept, rollout)):
            self._applier.attempt(rollout.id)
            return self._store.load(rollout.id)
        return entry

    def catch_up(self, *, brakes: bool, goes_on: Callable[[], bool] = lambda: True) -> None:
        """Write roll backs, or what else is still to be written: after a crash, or when the API server is back."""

        def attempt(rollout_id: str) -> None:
            if goes_on():
                self._applier.attempt(rollout_id)

        with ThreadPoolExecutor(WRITERS, "brakes" if brakes else "catch-up") as pool:
            list(pool.map(attempt, self._store.unapplied(self._clock.now(), brakes=brakes)))

    def _on_unwritten(self, entry: Entry) -> None:
        """Try to write it, unless a deadline has passed: a deadline does not wait for the API server."""
        outcome = on_unwritten(entry, self._moment())
        if outcome is None:
            self._applier.attempt(entry.rollout.id)
        else:
            self._carry_out(entry, outcome, Progress())

    def stand_in(self, entry: Entry) -> None:
        """Do for one rollout what the timer and the sweep do for all, while no process leads."""
        rollout_id, now = entry.rollout.id, self._clock.now()
        if not entry.is_applied:
            if any(rollout_id in self._store.unapplied(now, brakes=brakes) for brakes in (True, False)):
                self._applier.attempt(rollout_id)
        elif entry.acceptance is Acceptance.WAITING:
            self.tick(rollout_id)

    def hear(self, rollout_id: str) -> None:
        """Listen to a gateway whose status has changed, while the rollout runs or waits for an answer."""
        entry = self._store.load(rollout_id)
        if entry is None or (entry.rollout.phase in SLOTLESS and entry.acceptance is not Acceptance.WAITING):
            return
        if (heard := self._ear.news(entry, self._moment())) and self._follow(entry, heard):
            self._ear.remember(heard)

    def _follow(self, entry: Entry, heard: Heard) -> bool:
        """Save what a gateway said, and carry out what is decided because of it; False if it came too late for that."""
        if heard.outcome is None:
            return self._learn(entry, heard.progress)
        self._carry_out(entry, heard.outcome, heard.progress)
        return True

    def _on_due(self, entry: Entry) -> None:
        rollout = entry.rollout
        if rollout.phase in ASKS_GATES and (no := self._ear.late_no(entry, self._moment())):
            self._follow(entry, no)
            return
        if rollout.phase is Phase.ROLLED_BACK:
            self._after_roll_back(entry)
            return
        verdict = self._gates.check(entry) if rollout.phase in ASKS_GATES else None
        learnt = Progress(readiness=verdict.readiness, findings=verdict.findings) if verdict else Progress()
        outcome = on_due(entry, verdict, self._moment())
        self._carry_out(entry, with_figures(outcome, verdict) if isinstance(outcome, Change) else outcome, learnt)

    def _after_roll_back(self, entry: Entry) -> None:
        """Count again, for a card that says that the old pool cannot serve."""
        rollout = entry.rollout
        if self._store.latest(rollout.route_uid) != rollout.id:  # a newer rollout tells of the pools
            self._learn(entry, Progress(no_due=True, redraw=False))
            return
        try:
            seen = self._routes.readiness(rollout.stable, rollout.canary)
        except ClusterError:
            self._learn(entry, Progress(due=self._clock.now() + LOOK_AT_STABLE_EVERY, redraw=False))
            return
        self._wait(entry, after_roll_back(entry, seen, self._moment()), Progress(readiness=seen))

    def _is_followed(self, rollout: Rollout) -> bool:
        return rollout.phase is Phase.FINISHED and self._store.latest(rollout.route_uid) != rollout.id

    def _let_go(self, entry: Entry) -> None:
        """End a finished rollout whose route has a newer one; the annotation is the newer one's."""
        change = let_go(entry, self._moment())
        to = change.after
        applied = Applied(revision=to.revision, decision=to.decision, weight=to.weight, at=self._clock.now())
        self._store.save(Save(change=change, expected=entry.rollout.decision, applied=applied, settled=True))

    def _carry_out(self, entry: Entry, outcome: Change | LookAgain, progress: Progress) -> None:
        """Save what was learnt, then the decision: in this order a crash in between only repeats the decision."""
        if isinstance(outcome, LookAgain):
            self._wait(entry, outcome, progress)
            return
        self._learn(entry, progress)
        save = Save(change=with_earlier_noes(outcome, self._routes), expected=entry.rollout.decision)
        saved = self._store.save(save)
        if saved is Saved.YES:
            self._applier.attempt(entry.rollout.id)
            self._count_after(outcome)
            beside(outcome, self._store, self._gates, self._clock)

    def _count_after(self, change: Change) -> None:
        """Count the pools after the finish, for who still sends to the old one; only watches know that."""
        to = change.after
        if to.phase is not Phase.FINISHED or self._routes.kept(to.namespace, to.route) is None:
            return
        entry = self._store.load(to.id)
        if entry is not None and entry.is_applied:
            with suppress(ClusterError):
                seen = self._routes.readiness(to.stable, to.canary)
                self._store.learn(to.id, to.decision, Progress(readiness=seen))

    def _wait(self, entry: Entry, wait: LookAgain, progress: Progress) -> None:
        learnt = replace(progress, events=(*progress.events, *wait.events))
        self._learn(entry, replace(learnt, due=wait.due, no_due=wait.due is None, step_due=wait.step_due))

    def _learn(self, entry: Entry, progress: Progress) -> bool:
        return progress == Progress() or self._store.learn(entry.rollout.id, entry.rollout.decision, progress)

    def _moment(self) -> Moment:
        return Moment(now=self._clock.now(), decision=new_decision())
