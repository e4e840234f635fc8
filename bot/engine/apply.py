"""Apply: make the route what the record wants now. The one function for clicks, timers and sweeps.

It reads the copy of the route first, and loads the record after that. A patch may use an old copy, because its guards
make it harmless; drift, adoption and refusal are decided only if the record did not change during the read.
"""

import logging
import random
import uuid
from dataclasses import replace
from datetime import timedelta

from bot.domain.deadlines import WRITE_WITHIN
from bot.domain.decisions.by_route import (
    TRUSTS_OLD_COPY,
    Move,
    Observed,
    adopted,
    applied_by,
    foreign_owner,
    gone,
    judge,
    raises,
    taken_back,
)
from bot.domain.decisions.drift import drifted
from bot.domain.decisions.moves import Moment
from bot.domain.errors import (
    ClusterError,
    DependencyError,
    GoneError,
    RaceError,
    RefusedError,
    RouteError,
    UnreadableError,
)
from bot.domain.events import Event, EventKind
from bot.domain.gate import GateAnswer
from bot.domain.rollout import SLOTLESS, Applied, Change, Entry, Phase, Rollout, Trouble
from bot.engine.follower import follower
from bot.engine.guard import guard_of
from bot.engine.notes import is_unsigned, note_for, strays
from bot.engine.ports import Clock, Gates
from bot.engine.route_port import Guard, RouteCopy, Routes, Written
from bot.engine.seen import Seen
from bot.engine.store_port import Progress, Save, Saved, Store
from bot.engine.trail import write_route
from bot.engine.trouble import failed

log = logging.getLogger(__name__)

ROUNDS = 15
"""Every edit of the route's spec breaks the guard of a step, but not that of a roll back."""

UNREADABLE = timedelta(seconds=50)
"""Until a record that cannot be read is looked at again. A time further ahead would count as a clock's mistake."""
AFTER_A_BUG = timedelta(seconds=30)


class Applier:
    """Writes what records want onto their routes."""

    def __init__(self, routes: Routes, store: Store, clock: Clock, gates: Gates) -> None:
        self._routes, self._store, self._clock, self._gates = routes, store, clock, gates

    def apply(self, rollout_id: str, *, saved: Rollout | None = None, seen: Seen | None = None) -> None:
        """Make the route what the record wants. A failure is noted and tried again later; then raises ClusterError.

        ``saved`` is the record that this thread has just saved: it says which route to read, without another load.
        With ``seen`` the first write needs neither.
        """
        entry: Entry | None = None
        for attempt in range(ROUNDS):
            entry = Entry(rollout=saved) if saved and attempt == 0 else self._store.load(rollout_id)
            if entry is None:
                return
            try:
                if self._round(entry, attempt, seen if attempt == 0 else None):
                    return
            except RaceError:
                self._clock.sleep(random.uniform(0, 0.005 * (attempt + 1)))
            except (RefusedError, RouteError) as error:
                if self._give_up(entry, error):
                    return
            except ClusterError as error:
                self._note_trouble(entry, error)
                raise
        if entry is not None:
            self._note_trouble(entry, RaceError(f"The route changed {ROUNDS} times while it was being written."))

    def attempt(self, rollout_id: str) -> None:
        """Apply, and leave failures for later; one rollout that breaks the program does not hold up others."""
        try:
            self.apply(rollout_id)
        except UnreadableError:
            self._store.set_aside(rollout_id, self._clock.now() + UNREADABLE)
        except (DependencyError, RouteError) as error:
            log.info("rollout %s: I try again later: %s", rollout_id, error)
        except Exception:
            log.exception("rollout %s: could not be written", rollout_id)
            self._store.retry_at(rollout_id, self._clock.now() + AFTER_A_BUG)

    def _round(self, before: Entry, attempt: int, seen: Seen | None) -> bool:
        """Take a copy of the route, judge, act; True if nothing is left to do. ``attempt`` counts from 0."""
        if self._is_late(before) and not self._may_still_raise(before):
            return False
        kept = seen.copy if seen else self._kept(before.rollout) if attempt == 0 else None
        copy = kept or self._read(before.rollout)
        entry = seen.entry if seen else self._store.load(before.rollout.id)
        if entry is None:
            return True
        observed = self._routes.observe(copy, entry.rollout)
        move = self._judge(entry, copy, observed)
        if kept is not None and (move not in TRUSTS_OLD_COPY or None in observed):
            return False  # a copy that may be old is no proof
        if move not in TRUSTS_OLD_COPY and entry != before:
            return False  # the record changed during the read: read the route again and decide on that
        try:
            return self._act(move, entry, copy, observed, guard_of(copy, entry.rollout, attempt))
        except RouteError:
            if kept is None:
                raise
            return False

    def _kept(self, rollout: Rollout) -> RouteCopy | None:
        copy = self._routes.kept(rollout.namespace, rollout.route)
        return copy if copy is not None and copy.uid == rollout.route_uid else None

    def _read(self, rollout: Rollout) -> RouteCopy:
        copy = self._routes.read(rollout.namespace, rollout.route)
        if copy.uid != rollout.route_uid:
            raise GoneError(f"HTTPRoute `{rollout.namespace}/{rollout.route}` was deleted and created again.")
        return copy

    def _judge(self, entry: Entry, copy: RouteCopy, observed: Observed) -> Move:
        rollout, note = entry.rollout, note_for(copy, entry.rollout)
        if rollout.is_over and entry.is_applied and self._store.slot(rollout.route_uid) not in (None, rollout.id):
            return Move.DONE  # it was put back onto the route, which is for the present rollout to handle
        if note is None or note.id == rollout.id:
            move = judge(entry, note, observed, holds_slot=True)
            if move is Move.ADOPT and self._is_followed(rollout):
                return Move.DONE
            return Move.NOTE if move is Move.DONE and note and is_unsigned(copy) else move
        holds = self._store.slot(rollout.route_uid) == rollout.id
        return judge(entry, note, observed, holds_slot=holds, other_is_over=self._is_over(note, rollout))

    def _is_over(self, note: Rollout, mine: Rollout) -> bool | None:
        """Say whether another rollout, which has its note on the route, is over; None if the store does not know."""
        if other := self._store.load(note.id):
            return other.rollout.is_over
        return True if follower(self._store, note, but=mine.id) else None

    def _is_followed(self, rollout: Rollout) -> bool:
        """Say whether a newer rollout came after one that is over: then nobody rolls it back any more."""
        return rollout.phase in SLOTLESS and self._store.latest(rollout.route_uid) not in (None, rollout.id)

    def _act(self, move: Move, entry: Entry, copy: RouteCopy, observed: Observed, guard: Guard) -> bool:
        note = note_for(copy, entry.rollout)
        match move:
            case Move.WEIGHTS | Move.NOTE:
                return self._write(entry, copy, guard, weights=move is Move.WEIGHTS)
            case Move.DRIFT:
                return self._save(entry, drifted(entry, self._routes.hand(copy), observed, self._moment()))
            case Move.ADOPT if note is not None:
                return self._save(entry, adopted(entry, note, self._moment()), applied_by(note, copy.generation))
            case Move.REFUSE if note is not None:
                return self._refuse(entry, note)
            case _:
                return self._done(entry, copy.generation)

    def _write(self, entry: Entry, copy: RouteCopy, guard: Guard, *, weights: bool) -> bool:
        written = write_route(self._routes, self._clock, copy, entry.rollout, weights=weights, guard=guard)
        moved = weights or _wants_acceptance(entry)
        applied = self._applied(entry.rollout, written.generation)
        if not weights:
            applied = with_weights_since(applied, entry.applied)
        self._store.applied(entry.rollout.id, applied, moved=moved)
        if entry.trouble is not None and entry.trouble.is_told:
            self._tell(entry, EventKind.WRITTEN, "")
        if written.missing:
            self._tell_missing(entry, written)
        if weights and entry.is_applied:
            self._tell_again(entry, copy)
        return not self._was_edited(entry.rollout)

    def _was_edited(self, rollout: Rollout) -> bool:
        """Say whether the watch saw an edit after our write and before we saved it, when nobody could judge it."""
        kept = self._kept(rollout)
        return kept is not None and strays(kept, rollout, self._routes.observe(kept, rollout))

    def _done(self, entry: Entry, generation: int) -> bool:
        if not entry.is_applied or entry.pending:
            done = with_weights_since(self._applied(entry.rollout, generation), entry.applied)
            self._store.applied(entry.rollout.id, done, moved=_wants_acceptance(entry))
        return True

    def _refuse(self, entry: Entry, note: Rollout) -> bool:
        """Leave a route that another rollout owns: write nothing, and tell whoever rolled back."""
        change = foreign_owner(entry, note, self._moment())
        if entry.rollout.is_over:
            is_news = entry.rollout.phase is Phase.ROLLED_BACK and not entry.is_applied
            self._done(entry, 0)
            if is_news:
                self._tell_trouble(entry, f"Nothing was written: {change.after.why}")
            return True
        if entry.applied is not None:
            change = gone(entry, change.after.why, self._moment())
        return self._settle(entry, change)

    def _is_late(self, entry: Entry) -> bool:
        age = self._clock.now() - entry.rollout.decided_at
        return not entry.is_applied and raises(entry.rollout) and age >= WRITE_WITHIN

    def _may_still_raise(self, entry: Entry) -> bool:
        """Ask the gates again for a step that waited too long; take it back where they do not pass."""
        verdict = self._gates.check(entry)
        if verdict.answer is GateAnswer.PASS:
            return True
        why = f"It could not be written within {WRITE_WITHIN.seconds} seconds. {verdict.reason}"
        self._save(entry, taken_back(entry, why, self._moment()))
        return False

    def _give_up(self, entry: Entry, error: ClusterError | RouteError) -> bool:
        """Handle a definite no; True if nothing is left to write. Raises the error if only more tries can help."""
        if isinstance(error, GoneError):
            if entry.rollout.is_over:
                return self._done(entry, 0)
            return self._settle(entry, gone(entry, error.message, self._moment()))
        if entry.is_applied or not raises(entry.rollout):
            self._note_trouble(entry, error)
            raise error
        change = taken_back(entry, str(error), self._moment())
        if change.after.phase is Phase.REFUSED and self._never_wrote(entry.rollout.id):
            return self._settle(entry, change)
        return self._save(entry, change)

    def _never_wrote(self, rollout_id: str) -> bool:
        """Say whether nothing of ours can be on the route: nothing was written, and no try had an unclear end."""
        stored = self._store.load(rollout_id)
        return stored is None or (stored.applied is None and stored.trouble is None)

    def _save(self, entry: Entry, change: Change, applied: Applied | None = None) -> bool:
        self._store.save(Save(change=change, expected=entry.rollout.decision, applied=applied))
        return False  # saved or not, go round again: something has to be written

    def _settle(self, entry: Entry, change: Change) -> bool:
        """Save a decision that leaves nothing to write; False if another one came first: go round again."""
        applied = self._applied(change.after, 0)
        save = Save(change=change, expected=entry.rollout.decision, applied=applied, settled=True)
        return self._store.save(save) is Saved.YES

    def _note_trouble(self, entry: Entry, error: DependencyError | RouteError) -> None:
        stored = self._store.load(entry.rollout.id) or entry
        if stored.is_applied:  # this was only a look: nothing waits to be written
            log.warning("rollout %s: its route could not be read: %s", entry.rollout.id, error.message)
            return
        progress = failed(replace(entry, trouble=stored.trouble), error, self._clock.now())
        self._store.learn(entry.rollout.id, entry.rollout.decision, progress)
        log.warning("rollout %s: its route could not be written: %s", entry.rollout.id, error.message)

    def _tell_missing(self, entry: Entry, written: Written) -> None:
        """Tell people which rules are gone, and which ones were taken for them."""
        missing, taken = ", ".join(written.missing), ", ".join(written.taken)
        then = f". Its weights are in {taken} now, so I put those back." if taken else ", so nothing was written there."
        self._tell_trouble(entry, f"I could not find {missing} on the route{then}")

    def _tell_trouble(self, entry: Entry, why: str) -> None:
        """Tell people about a decision that leaves nothing more to do."""
        self._tell(entry, EventKind.TROUBLE, why, Trouble(since=self._clock.now(), reason=why, attempts=0))

    def _tell_again(self, entry: Entry, copy: RouteCopy) -> None:
        """Tell people that a roll back had to be written again, because traffic had moved."""
        hand = self._routes.hand(copy).manager
        who = f"`{hand}`" if hand else "Somebody"
        self._tell(entry, EventKind.WRITTEN_AGAIN, f"{who} had put an older state of the rollout back.")

    def _tell(self, entry: Entry, kind: EventKind, why: str, trouble: Trouble | None = None) -> None:
        told = Event(kind=kind, at=self._clock.now(), weight=entry.rollout.weight, reason=why)
        self._store.learn(entry.rollout.id, entry.rollout.decision, Progress(trouble=trouble, events=(told,)))

    def _applied(self, rollout: Rollout, generation: int) -> Applied:
        now = self._clock.now()
        return Applied(
            revision=rollout.revision,
            decision=rollout.decision,
            weight=rollout.weight,
            at=now,
            generation=generation,
            weighed_at=now,
        )

    def _moment(self) -> Moment:
        return Moment(now=self._clock.now(), decision=new_decision())


def new_decision() -> str:
    """Return a fresh random id for a decision."""
    return uuid.uuid4().hex[:16]


def with_weights_since(applied: Applied, before: Applied | None) -> Applied:
    """Keep the time since when the route has its weights, where a decision has not changed them."""
    if before is None or before.weight != applied.weight:
        return applied
    return replace(applied, weighed_at=before.weighed_since)


def _wants_acceptance(entry: Entry) -> bool:
    return entry.due is None and not entry.rollout.is_over
