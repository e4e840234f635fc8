"""Ends the way back of a finished rollout, before its old pool is deleted. Nobody can roll it back after that."""

from bot.domain.decisions.by_cluster import deletion_begins
from bot.domain.decisions.moves import Moment
from bot.domain.errors import DependencyError, RouteError
from bot.domain.rollout import Phase
from bot.engine.apply import Applier, new_decision
from bot.engine.ports import Clock
from bot.engine.store_port import Save, Store

TRIES = 15


class WayBack:
    """Decides it as everything is decided: by compare and save, and then on the route."""

    def __init__(self, store: Store, clock: Clock, applier: Applier) -> None:
        self._store, self._clock, self._applier = store, clock, applier

    def end(self, rollout_id: str, by: str) -> None:
        """End it in the name of ``by``; returns once that is on the route, too.

        Raises RouteError if the rollout is no longer finished, because somebody has rolled it back, and
        DependencyError if it is worth another try.
        """
        for _ in range(TRIES):
            entry = self._store.load(rollout_id)
            if entry is None:
                raise RouteError(f"There is no rollout `{rollout_id}` any more.")
            if entry.rollout.phase is Phase.CLEANED and entry.is_applied:
                return
            if entry.rollout.phase is not Phase.CLEANED and entry.is_applied:
                moment = Moment(now=self._clock.now(), decision=new_decision(), by=by)
                change = deletion_begins(entry, moment)
                self._store.save(Save(change=change, expected=entry.rollout.decision))
            # This also writes a finish that is not on the route yet, and takes over what a terminal wrote there.
            self._applier.apply(rollout_id)
        raise DependencyError(f"Rollout `{rollout_id}` changes all the time.")
