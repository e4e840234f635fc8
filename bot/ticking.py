"""Time: what the timer and the sweeps do with a rollout. All of it ends in the same apply as a click."""

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from bot.applying import Applier, new_decision
from bot.domain.deadlines import ACCEPT_WITHIN, next_look
from bot.domain.errors import ClusterError, DependencyError, RouteError
from bot.domain.events import Event, EventKind
from bot.domain.on_route import applied_by
from bot.domain.on_time import ASKS_GATES, LookAgain, on_accepted, on_due, on_rejected
from bot.domain.rollout import OVER, SLOTLESS, Acceptance, Applied, Change, Entry, Phase, Rollout, wanted
from bot.domain.transitions import Moment, end
from bot.ports import Clock, GatewaySays, Progress, RouteCopy, Routes, Save, Saved, Store

log = logging.getLogger(__name__)

WRITERS = 8
AFTER_A_BUG = timedelta(seconds=30)


class Ticker:
    """Looks at rollouts when their time has come, and at routes when nobody asked."""

    def __init__(self, routes: Routes, store: Store, clock: Clock, applier: Applier) -> None:
        self._routes = routes
        self._store = store
        self._clock = clock
        self._applier = applier

    def tick(self, rollout_id: str) -> None:
        """Do what a due rollout wants. A tick that comes too early or twice does nothing."""
        entry = self._store.load(rollout_id)
        if entry is None or entry.due is None:
            self._store.forget_due(rollout_id)
        elif entry.due > self._clock.now():
            return
        elif not entry.is_applied:
            self._apply(rollout_id)
        elif self._is_followed(entry.rollout):
            self._let_go(entry)
        elif entry.acceptance is Acceptance.WAITING and entry.applied is not None:
            self._hear_gateway(entry, entry.applied)
        else:
            self._on_due(entry)

    def catch_up(self, *, brakes: bool) -> None:
        """Write roll backs, or what else is still to be written: after a crash, or when the API server is back."""
        with ThreadPoolExecutor(WRITERS, "brakes" if brakes else "catch-up") as pool:
            list(pool.map(self._apply, self._store.unapplied(self._clock.now(), brakes=brakes)))

    def inspect_routes(self) -> None:
        """Look at every route once: rollouts that only an annotation knows, and routes that differ from us."""
        active = self._store.entries()
        for namespace in self._routes.namespaces:
            try:
                copies = self._routes.list(namespace)
            except ClusterError as error:
                log.warning("the routes of namespace %s: %s", namespace, error)
                continue
            for copy in copies:
                self._inspect(copy)
            self._miss({copy.uid for copy in copies}, [e for e in active if e.rollout.namespace == namespace])

    def rebuild(self, copy: RouteCopy) -> None:
        """Take up a rollout that only the route's annotation knows."""
        note = copy.note
        if note is None:
            return
        told = Event(kind=EventKind.ADOPTED, at=self._clock.now(), weight=note.weight)
        change = Change(after=note, events=(told,), due=next_look(note, self._clock.now()))
        applied = applied_by(note, copy.generation)
        takes = note.phase not in SLOTLESS
        saved = self._store.save(Save(change=change, expected=None, take_slot=takes, applied=applied))
        log.warning("rollout %s on HTTPRoute %s/%s: rebuilt: %s", note.id, copy.namespace, copy.name, saved)
        if saved is Saved.YES and takes:
            # Nothing is known of what the gateway said: ask before the next step.
            self._store.learn(note.id, note.decision, Progress(acceptance=Acceptance.WAITING, due=self._clock.now()))

    def _apply(self, rollout_id: str) -> None:
        try:
            self._applier.apply(rollout_id)
        except (DependencyError, RouteError) as error:
            log.info("rollout %s: tried again later: %s", rollout_id, error)
        except Exception:
            # One rollout that breaks the program must not hold up the others.
            log.exception("rollout %s: could not be written", rollout_id)
            self._store.retry_at(rollout_id, self._clock.now() + AFTER_A_BUG)

    def _miss(self, found: set[str], active: Sequence[Entry]) -> None:
        """Let rollouts whose route is not there any more find that out."""
        for entry in active:
            if entry.rollout.route_uid not in found and entry.is_applied:
                self._apply(entry.rollout.id)

    def _inspect(self, copy: RouteCopy) -> None:
        """Look at one route; one that breaks the program must not hide the others."""
        try:
            self._compare(copy)
        except DependencyError as error:
            log.warning("route %s/%s: %s", copy.namespace, copy.name, error)
        except Exception:
            log.exception("route %s/%s could not be inspected", copy.namespace, copy.name)

    def _compare(self, copy: RouteCopy) -> None:
        note = copy.note
        if note is None or note.route_uid != copy.uid:
            return
        entry = self._store.load(note.id)
        if entry is None:
            if note.phase not in OVER:
                self.rebuild(copy)
        elif entry.is_applied and self._differs(entry.rollout, note, copy):
            self._apply(note.id)

    def _differs(self, rollout: Rollout, note: Rollout, copy: RouteCopy) -> bool:
        if rollout.phase in SLOTLESS:
            # Over: only an older annotation of ours that came back (a backup, GitOps) concerns us.
            return rollout.phase is Phase.ROLLED_BACK and note.phase not in SLOTLESS
        if note.decision != rollout.decision:
            return True
        return not rollout.hands_off and self._routes.observe(copy, rollout) != wanted(rollout)

    def _hear_gateway(self, entry: Entry, applied: Applied) -> None:
        age = self._clock.now() - applied.at
        copy = self._routes.read(entry.rollout.namespace, entry.rollout.route)
        word = self._routes.gateway_says(copy, applied.generation)
        if word.says is GatewaySays.REJECTED:
            self._carry_out(
                entry, on_rejected(entry, word.message, self._moment()), Progress(acceptance=Acceptance.UNKNOWN)
            )
        elif word.says is GatewaySays.ACCEPTED:
            self._carry_out(entry, on_accepted(entry, self._moment()), Progress(acceptance=Acceptance.ACCEPTED))
        elif age >= ACCEPT_WITHIN:
            told = Event(kind=EventKind.ACCEPTANCE_UNKNOWN, at=self._clock.now(), weight=entry.rollout.weight)
            progress = Progress(acceptance=Acceptance.UNKNOWN, events=(told,))
            self._carry_out(entry, on_accepted(entry, self._moment()), progress)
        else:
            again = self._clock.now() + min(max(age / 2, timedelta(seconds=0.3)), timedelta(seconds=5))
            self._learn(entry, Progress(due=again, redraw=False))

    def _on_due(self, entry: Entry) -> None:
        rollout = entry.rollout
        verdict = self._routes.check(rollout) if rollout.phase in ASKS_GATES else None
        readiness = verdict.readiness if verdict else None
        self._carry_out(entry, on_due(entry, verdict, self._moment()), Progress(readiness=readiness))

    def _is_followed(self, rollout: Rollout) -> bool:
        return rollout.phase is Phase.FINISHED and self._store.latest(rollout.route_uid) != rollout.id

    def _let_go(self, entry: Entry) -> None:
        """End a finished rollout whose route has a newer one; the annotation is the newer one's."""
        change = end(entry, "A newer rollout has the route.", self._moment())
        to = change.after
        applied = Applied(revision=to.revision, decision=to.decision, weight=to.weight, at=self._clock.now())
        self._store.save(Save(change=change, expected=entry.rollout.decision, applied=applied, settled=True))

    def _carry_out(self, entry: Entry, outcome: Change | LookAgain, progress: Progress) -> None:
        """Save what was learnt, then the decision: in this order, a crash in between only repeats the decision."""
        if isinstance(outcome, LookAgain):
            self._wait(entry, outcome, progress)
            return
        self._learn(entry, progress)
        saved = self._store.save(Save(change=outcome, expected=entry.rollout.decision))
        if saved is Saved.YES:
            self._apply(entry.rollout.id)

    def _wait(self, entry: Entry, wait: LookAgain, progress: Progress) -> None:
        self._learn(
            entry,
            Progress(
                acceptance=progress.acceptance,
                readiness=progress.readiness,
                events=(*progress.events, *wait.events),
                due=wait.due,
                no_due=wait.due is None,
            ),
        )

    def _learn(self, entry: Entry, progress: Progress) -> None:
        if progress != Progress():
            self._store.learn(entry.rollout.id, entry.rollout.decision, progress)

    def _moment(self) -> Moment:
        return Moment(now=self._clock.now(), decision=new_decision())
