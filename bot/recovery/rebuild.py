"""Rollouts that the store has forgotten are restored from the annotations of their routes."""

import logging
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from bot.domain.deadlines import next_look, next_step_due
from bot.domain.decisions.by_route import applied_by, came_after, is_back
from bot.domain.decisions.drift import drifted, not_back
from bot.domain.decisions.moves import Moment
from bot.domain.errors import ClusterError
from bot.domain.events import Event, EventKind
from bot.domain.rollout import OVER, SLOTLESS, Acceptance, Change, Entry, Phase, Rollout
from bot.engine.apply import Applier, new_decision
from bot.engine.follower import follower
from bot.engine.ports import Clock
from bot.engine.route_port import RouteCopy, Routes
from bot.engine.store_port import Progress, Save, Saved, Store

log = logging.getLogger(__name__)

STILL_TOLD: Final = timedelta(hours=24)
"""A card is brought up to date for this long after the rollout's end, if the store has forgotten it."""


class Rebuilder:
    """Saves what an annotation says into a store that has lost it."""

    def __init__(self, routes: Routes, store: Store, clock: Clock, applier: Applier) -> None:
        self._routes = routes
        self._store = store
        self._clock = clock
        self._applier = applier

    def take_up(self, note: Rollout, copy: RouteCopy) -> None:
        """Restore a rollout that only its route's annotation knows; one that ended long ago stays forgotten.

        So does one that another followed: somebody put its annotation back.
        """
        if self._is_followed(note):
            return
        now = self._clock.now()
        note = replace(note, since=min(note.since, now), decided_at=min(note.decided_at, now))
        if note.phase in OVER and now - note.decided_at > STILL_TOLD:
            return
        change, is_over = self._change(note, copy, now), note.phase in OVER
        save = Save(
            change=change,
            expected=None,
            take_slot=note.phase not in SLOTLESS,
            applied=applied_by(change.after if is_over else note, copy.generation),
            settled=is_over,
        )
        saved = self._save(save)
        log.warning("rollout %s on HTTPRoute %s/%s: rebuilt: %s", note.id, note.namespace, note.route, saved)
        if saved is Saved.YES and note.phase not in SLOTLESS:
            # What the gateway said is lost: ask it before the next step.
            self._store.learn(note.id, change.after.decision, Progress(acceptance=Acceptance.WAITING, due=now))

    def _is_followed(self, note: Rollout) -> bool:
        """Say whether a newer rollout had the route; it looks at the route first, and gives way if it never did.

        Raises ClusterError if it could not look.
        """
        newer = follower(self._store, note)
        if newer is None:
            return False
        self._applier.attempt(newer.rollout.id)
        newer = follower(self._store, note)
        if newer is not None and not newer.is_applied:
            raise _unread(note)
        return newer is not None

    def _change(self, note: Rollout, copy: RouteCopy, now: datetime) -> Change:
        """Go on from what the annotation says; but if somebody else put it there, it may be an old one, so pause.

        A roll back that the weights do not show is not told as one.
        """
        told = Event(kind=EventKind.REBUILT, at=now, weight=note.weight)
        observed = self._routes.observe(copy, note)
        entry = Entry(rollout=note, applied=applied_by(note, copy.generation))
        moment = Moment(now=now, decision=new_decision())
        if note.phase is Phase.ROLLED_BACK and not is_back(observed):
            return not_back(entry, self._routes.hand(copy), observed, moment)
        hand = self._routes.note_hand(copy)
        if hand is None or note.phase in SLOTLESS:
            return Change(after=note, events=(told,), due=next_look(note, now), step_due=next_step_due(note, now))
        change = drifted(entry, hand, observed, moment)
        return replace(change, events=(told, *change.events))

    def _save(self, save: Save) -> Saved:
        """Save it; another rollout that holds the route in an older store is shown first that it has lost it.

        Raises ClusterError if that could not be shown: the route would have two rollouts that count as active.
        """
        saved, mine = self._store.save(save), save.change.after
        holder = self._holder(mine)
        if holder is None:
            return saved
        self._applier.attempt(holder.id)
        if saved is not Saved.TAKEN:
            return saved
        saved = self._store.save(save)
        if saved is Saved.TAKEN and came_after(holder, mine):
            raise _unread(mine)
        return saved

    def _holder(self, mine: Rollout) -> Rollout | None:
        """Return the other rollout that has the route."""
        holder = self._store.slot(mine.route_uid)
        entry = self._store.load(holder) if holder not in (None, mine.id) else None
        return entry.rollout if entry else None


def _unread(rollout: Rollout) -> ClusterError:
    return ClusterError(f"HTTPRoute `{rollout.namespace}/{rollout.route}` could not be read again.")
