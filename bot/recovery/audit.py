"""Routes and pools that changed without us: what a watch says about one, and from time to time a look at all.

For weights and pools a watch only says where to look; decisions about them rest on a fresh read. In two cases its copy,
which may be a moment old, is enough: a rollout that only an annotation knows (the next look finds anything newer), and
another controller that owns the route (the rollout pauses until a person resumes it).
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence

from bot.domain.decisions.by_cluster import (
    is_being_deleted,
    owned,
    paused_over,
    pool_ending,
    pool_gone,
    stable_back,
    was_deleted,
)
from bot.domain.decisions.moves import Moment
from bot.domain.errors import ClusterError, DependencyError, RefusedError, UnreadableError
from bot.domain.events import Event, EventKind
from bot.domain.rollout import SLOTLESS, Change, Entry, Phase, Pool, Rollout
from bot.engine.apply import Applier, new_decision
from bot.engine.notes import is_unsigned, note_on, own_note, strays
from bot.engine.ports import Clock
from bot.engine.route_port import RouteCopy, Routes
from bot.engine.store_port import Progress, Save, Saved, Store
from bot.engine.told import Told
from bot.recovery.rebuild import Rebuilder

log = logging.getLogger(__name__)


class Audit:
    """Compares routes and pools with the records."""

    def __init__(
        self, routes: Routes, store: Store, clock: Clock, applier: Applier, rebuilder: Rebuilder, told: Told
    ) -> None:
        """Keep the parts; ``told`` remembers what was told once."""
        self._routes = routes
        self._store = store
        self._clock = clock
        self._applier = applier
        self._rebuilder = rebuilder
        self._told = told

    def inspect(self) -> bool:
        """Read every route again and look at it, and at rollouts that only an annotation knows. False: it missed some.

        A namespace that is refused counts as looked at; the next look that is allowed takes up what is in it.
        """
        return self._inspect(self._routes.list)

    def sweep(self) -> bool:
        """Look at every route in the watches' copies, which asks the API server nothing. False: it missed some."""
        return self._inspect(self._routes.copies)

    def _inspect(self, routes_of: Callable[[str], Sequence[RouteCopy]]) -> bool:
        active = self._store.entries()
        seen = [self._inspect_namespace(namespace, routes_of, active) for namespace in self._routes.namespaces]
        return all(seen)

    def _inspect_namespace(
        self, namespace: str, routes_of: Callable[[str], Sequence[RouteCopy]], active: Sequence[Entry]
    ) -> bool:
        here, seen = [entry for entry in active if entry.rollout.namespace == namespace], True
        try:
            seen = self._look_at(routes_of(namespace), here)
            self._miss(self._routes.pools(namespace), here)
        except RefusedError as error:
            # A definite no lasts until somebody fixes it, perhaps for ever, so the other namespaces do not wait for it.
            log.warning("skipping namespace %s: %s", namespace, error)
        except ClusterError as error:
            log.warning("namespace %s: %s", namespace, error)
            return False
        return seen

    def _look_at(self, copies: Sequence[RouteCopy], active: Iterable[Entry]) -> bool:
        """Look at the routes of one namespace, and at rollouts whose route is gone. False: it could not look at all."""
        seen = [self.look(copy) for copy in copies]
        found = {copy.uid for copy in copies}
        for entry in active:
            if entry.rollout.route_uid not in found and entry.is_applied:
                self._applier.attempt(entry.rollout.id)
        return all(seen)

    def look(self, copy: RouteCopy) -> bool:
        """Look at one route; one that breaks the program must not hide the others. False: look again."""
        try:
            self._compare(copy)
        except UnreadableError as error:  # this will not change, so no other rollout waits for it
            where = f"{copy.namespace}/{copy.name}"
            log.error("leaving route %s as it is: %s Run that version again.", where, error.message)
        except DependencyError as error:
            log.warning("route %s/%s: %s", copy.namespace, copy.name, error)
            return False
        except Exception:
            log.exception("route %s/%s could not be inspected", copy.namespace, copy.name)
        return True

    def route_gone(self, copy: RouteCopy) -> None:
        """Let the rollout of a deleted route notice that."""
        note = note_on(copy)
        for rollout_id in {self._store.slot(copy.uid), note.rollout.id if note else None} - {None}:
            self._applier.attempt(str(rollout_id))

    def pool_gone(self, pool: Pool) -> None:
        """Decide for every rollout of a deleted pool, unless the pool is back."""
        named = [entry for entry in self._store.entries() if pool in (entry.rollout.stable, entry.rollout.canary)]
        if named and self._routes.is_gone(pool):
            for entry in named:
                self._save(entry, pool_gone(entry, pool, self._moment()))
                self._tell_paused(entry, was_deleted(entry.rollout, pool))

    def pool_ending(self, pool: Pool) -> None:
        """Decide for every rollout of a pool that is being deleted."""
        for entry in self._store.entries():
            if pool in (entry.rollout.stable, entry.rollout.canary):
                self._save(entry, pool_ending(entry, pool, self._moment()))
                self._tell_paused(entry, is_being_deleted(entry.rollout, pool))

    def _tell_paused(self, entry: Entry, why: str) -> None:
        """Tell people of a paused rollout, once, what would have paused it: they may wait, and requests fail."""
        rollout = entry.rollout
        if rollout.phase is not Phase.PAUSED or why == rollout.why or self._told.knows((rollout.id, why)):
            return
        told = Event(kind=EventKind.TROUBLE, at=self._clock.now(), weight=rollout.weight, reason=why)
        if self._store.learn(rollout.id, rollout.decision, Progress(events=(told,))):
            self._told.remember((rollout.id, why))

    def _miss(self, pools: Iterable[str], active: Iterable[Entry]) -> None:
        """Find pools that are gone, or being deleted: the watch may have told that when nobody was leader."""
        there = set(pools)
        for entry in active:
            rollout = entry.rollout
            if rollout.stable_gone and not self._routes.is_gone(rollout.stable):
                self._find_again(entry)
            for pool in _needed(rollout):
                if pool.name not in there and (rollout.phase is not Phase.PAUSED or paused_over(rollout, pool)):
                    self.pool_gone(pool)
                    if self._routes.is_ending(pool):
                        self.pool_ending(pool)

    def _find_again(self, entry: Entry) -> None:
        """Note that the old pool is there again, unless it is only on its way out."""
        if not self._routes.is_ending(entry.rollout.stable):
            self._save(entry, stable_back(entry, self._moment()))

    def _compare(self, copy: RouteCopy) -> None:
        named = note_on(copy)
        entry = self._store.load(named.rollout.id) if named else None
        if entry is None and (note := own_note(copy)):
            self._rebuilder.take_up(note, copy)
            return
        if entry is None and is_unsigned(copy):
            self._tell_unsigned(copy)
        if entry is None or entry.rollout.phase in SLOTLESS or entry.rollout.route_uid != copy.uid:
            # Somebody may have put the annotation of a finished rollout, or of another, over that of the present one.
            entry = self._holder(copy) or entry
        if entry is None or not entry.is_applied or entry.rollout.route_uid != copy.uid:
            return
        if self._strays(entry.rollout, copy):
            self._applier.attempt(entry.rollout.id)
        elif owner := self._routes.owner(copy):
            self._save(entry, owned(entry, owner, self._moment()))

    def _holder(self, copy: RouteCopy) -> Entry | None:
        """Return the rollout that has the route."""
        rollout_id = self._store.slot(copy.uid)
        return self._store.load(rollout_id) if rollout_id else None

    def _strays(self, rollout: Rollout, copy: RouteCopy) -> bool:
        return strays(copy, rollout, self._routes.observe(copy, rollout))

    def _tell_unsigned(self, copy: RouteCopy) -> None:
        """Name a note that we do not take up, once."""
        told = copy.uid, hash(copy.annotation)
        if self._told.knows(told):
            return
        self._told.remember(told)
        hand = self._routes.note_hand(copy)
        who = hand.manager if hand and hand.manager else "this bot's field manager"
        log.warning(
            "HTTPRoute %s/%s carries a note that none of our keys has signed, written by %s: I leave it alone",
            copy.namespace,
            copy.name,
            who,
        )

    def _save(self, entry: Entry, change: Change | None) -> None:
        if change is None:
            return
        if self._store.save(Save(change=change, expected=entry.rollout.decision)) is Saved.YES:
            self._applier.attempt(entry.rollout.id)

    def _moment(self) -> Moment:
        return Moment(now=self._clock.now(), decision=new_decision())


def _needed(rollout: Rollout) -> Iterator[Pool]:
    """Yield the pools whose absence somebody must hear of: not again of an old pool that people went on without."""
    is_finished = rollout.phase is Phase.FINISHED
    if not is_finished:
        yield rollout.canary
    if is_finished or not rollout.stable_gone:
        yield rollout.stable
