"""The brake without the store: a roll back from the record that the route itself carries.

It asks only the API server. The store learns of it later, like of any decision made elsewhere, where a roll back wins
(the fourth row of the table in decisions/by_route.py). Then the card and the thread catch up.

Only a signed record is believed about the weights from before. From any other, the old pool gets all the traffic of the
pair; and if we have a key and it is not signed with it, a person has to name the new pool, so that it cannot swap them.
"""

import json
import random
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from datetime import datetime

from bot.domain.commands.request import Command
from bot.domain.decisions.by_people import unfit
from bot.domain.decisions.by_route import applied_by, is_as_wanted
from bot.domain.decisions.moves import Moment, roll_back
from bot.domain.errors import ClusterError, RaceError, RouteError
from bot.domain.rollout import Entry, Phase, Rollout
from bot.domain.verbs.rollback import ROLLBACK
from bot.engine.apply import ROUNDS, new_decision
from bot.engine.guard import guard_of
from bot.engine.meant_on_routes import meant_on_routes, named
from bot.engine.notes import note_on
from bot.engine.ports import Clock
from bot.engine.route_port import Note, Proof, RouteCopy, Routes
from bot.engine.trail import write_route

LISTS = 8
"""Namespaces that are read at once."""

GRACE = 1.0
"""Seconds for which a rollout that is named, and found, waits for other namespaces: another one may have that name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteRolledBack:
    """A roll back that is on the route, ``written`` now or before; ``missing`` names rules that the route lost.

    ``as_before``: the weights are as they were before the rollout; else the old pool has all the traffic of the pair.
    """

    rollout: Rollout
    written: bool
    as_before: bool
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """The route that a roll back means, the reason it gives, and the word before that, which may name the new pool."""

    namespace: str
    route: str
    reason: str
    named: str


class RouteRollback:
    """Rolls back with nothing but the API server."""

    def __init__(self, routes: Routes, clock: Clock) -> None:
        self._routes = routes
        self._clock = clock

    def roll_back(self, place: Place, *, by: str) -> RouteRolledBack:
        """Put the weights of a route back as its annotation says they were before the rollout.

        It writes nothing if they are back already. Raises RouteError, TransitionError or ClusterError.
        """
        for attempt in range(ROUNDS):
            copy = self._routes.read(place.namespace, place.route)
            note = _note_of(copy, place.named)
            rollout = self._believed(copy, note)
            as_before = note.proof is Proof.SIGNED
            if self._is_back(copy, rollout):
                return RouteRolledBack(rollout=rollout, written=False, as_before=as_before)
            try:
                after, missing = self._write(copy, rollout, by=by, reason=_reason(place, rollout), attempt=attempt)
            except RaceError:
                self._clock.sleep(random.uniform(0, 0.005 * (attempt + 1)))
                continue
            return RouteRolledBack(rollout=after, written=True, as_before=as_before, missing=missing)
        where = f"{place.namespace}/{place.route}"
        raise ClusterError(f"HTTPRoute `{where}` changed {ROUNDS} times meanwhile.", hint="Try again.")

    def find(self, command: Command, channel: str, asked: datetime) -> Place:
        """Return the route of the rollout that a command means, and the reason that the command gives.

        As in the lookup with a store, a word that is not a rollout's name, nor close to one, begins the reason. An
        unreadable namespace does not delay a named rollout that is found in another one, and a refused namespace does
        not delay any that is found. Raises UsageError, RouteError, ClusterError.
        """
        notes, failed = self._notes(command)
        rollout, meant = meant_on_routes(notes, failed, command, channel, asked)
        subject = meant.subject if meant.subject == rollout.canary.name else ""
        return Place(rollout.namespace, rollout.route, meant.reason, subject)

    def _notes(self, command: Command) -> tuple[Sequence[Note], Sequence[ClusterError]]:
        """Read the notes of all namespaces in parallel, since one may hang; also return the failures."""
        lists = ThreadPoolExecutor(LISTS, thread_name_prefix="brake-list")
        try:
            listed = [lists.submit(self._routes.list, namespace) for namespace in self._routes.namespaces]
            there = wait(listed, GRACE).done
            if not named(_read(there, self._routes)[0], command.subject, command.where):
                there = wait(listed).done
            return _read(there, self._routes)
        finally:
            lists.shutdown(wait=False, cancel_futures=True)

    def _believed(self, copy: RouteCopy, note: Note) -> Rollout:
        """Return the record as far as its note can be believed. Raises RouteError if the route looks different."""
        rollout = note.rollout
        if note.proof is not Proof.SIGNED:
            rollout = replace(rollout, rules=self._routes.to_stable(copy, rollout) or rollout.rules)
            rollout = rollout if note.proof is Proof.UNPROTECTED else _bare(rollout, self._clock.now())
        rewritten = self._routes.is_rewritten(copy, replace(rollout, phase=Phase.ROLLED_BACK))
        if not rewritten and not self._routes.shows(copy, rollout):
            raise _nothing_to_write(rollout)
        return rollout

    def _is_back(self, copy: RouteCopy, rollout: Rollout) -> bool:
        is_back = rollout.phase is Phase.ROLLED_BACK and is_as_wanted(self._routes.observe(copy, rollout), rollout)
        return is_back and not self._routes.is_rewritten(copy, rollout)

    def _write(
        self, copy: RouteCopy, rollout: Rollout, *, by: str, reason: str, attempt: int
    ) -> tuple[Rollout, tuple[str, ...]]:
        moment = Moment(now=self._clock.now(), decision=new_decision(), by=by)
        entry = Entry(rollout=rollout, applied=applied_by(rollout, copy.generation))
        after = roll_back(entry, reason, moment).after
        guard = guard_of(copy, after, attempt)
        return after, write_route(self._routes, self._clock, copy, after, weights=True, guard=guard).missing


def _bare(rollout: Rollout, now: datetime) -> Rollout:
    """Return a record without the words and names that anybody may have put into it, because we shall sign it."""
    pool = rollout.stable
    ref = {"group": pool.group, "kind": "InferencePool", "namespace": pool.namespace, "name": pool.name}
    rules = tuple(replace(rule, stable_ref=json.dumps(ref)) for rule in rollout.rules)
    bare = replace(rollout, rules=rules, channel="", started_by="", started_at=now, reason="", by="", why="")
    return replace(bare, ask=None, drift=None, overwrites=None, restored=(), held_by=())


def _read(
    listed: Iterable[Future[Sequence[RouteCopy]]], routes: Routes
) -> tuple[Sequence[Note], Sequence[ClusterError]]:
    """Return the notes of namespaces that were read, and the failures of the others.

    A note that is not signed counts only if its route looks like it.
    """
    notes: list[Note] = []
    failed: list[ClusterError] = []
    for namespace in listed:
        try:
            found = [(copy, note) for copy in namespace.result() if (note := note_on(copy))]
            notes += [note for copy, note in found if note.proof is Proof.SIGNED or routes.shows(copy, note.rollout)]
        except ClusterError as error:
            failed.append(error)
    return notes, failed


def _note_of(copy: RouteCopy, named: str) -> Note:
    note = note_on(copy)
    if note is None:
        raise RouteError(
            f"HTTPRoute `{copy.namespace}/{copy.name}` has no rollout of this bot.",
            hint="See `kubectl get httproutes` for the route that you mean.",
        )
    if not ROLLBACK.fits(note.rollout):
        raise unfit(ROLLBACK, note.rollout)
    if note.proof is Proof.UNSIGNED and named != note.rollout.canary.name:
        raise RouteError(
            f"The bot has not signed what HTTPRoute `{copy.namespace}/{copy.name}` says about its rollout, so I cannot "
            "tell which pool is the new one.",
            hint="Name the new pool: `rollback POOL`.",
        )
    return note


def _nothing_to_write(rollout: Rollout) -> RouteError:
    return RouteError(
        f"HTTPRoute `{rollout.namespace}/{rollout.route}` has none of the rules that the rollout of "
        f"`{rollout.canary.name}` moved, so I changed nothing.",
        hint=f"Set its weights by hand: `kubectl -n {rollout.namespace} edit httproute {rollout.route}`.",
    )


def _reason(place: Place, rollout: Rollout) -> str:
    word = "" if place.named == rollout.canary.name else place.named
    return f"{word} {place.reason}".strip()
