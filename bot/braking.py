"""The brake without the store: a roll back that is decided on the record the route itself carries.

Only the API server is asked. The store learns of it later, as of a decision by another hand on which the roll back
wins (the fourth row of the table in on_route.py), and the card and the thread catch up then.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bot.applying import ROUNDS, new_decision, own_note
from bot.domain.command import Command, Verb
from bot.domain.errors import ClusterError, RaceError, RouteError, TransitionError, UsageError
from bot.domain.on_route import applied_by
from bot.domain.rollout import OVER, SLOTLESS, Entry, Phase, Rollout, wanted
from bot.domain.starting import is_rollout_id
from bot.domain.transitions import Moment, roll_back
from bot.domain.verbs import ALLOWED, INSTEAD, describe
from bot.ports import Clock, RouteCopy, Routes


@dataclass(frozen=True, slots=True, kw_only=True)
class Braked:
    """A roll back that is on the route; ``missing`` names rules that are gone from it and so were not written."""

    rollout: Rollout
    missing: tuple[str, ...] = ()


class Brake:
    """Rolls back with nothing but the API server."""

    def __init__(self, routes: Routes, clock: Clock) -> None:
        self._routes = routes
        self._clock = clock

    def pull(self, namespace: str, route: str, *, by: str, reason: str) -> Braked:
        """Put the weights of a route back as its annotation says they were before the rollout.

        Rolled back already, it writes nothing. Raises RouteError, TransitionError or ClusterError.
        """
        for attempt in range(ROUNDS):
            copy = self._routes.read(namespace, route)
            rollout = _record_of(copy)
            if rollout.phase is Phase.ROLLED_BACK and self._routes.observe(copy, rollout) == wanted(rollout):
                return Braked(rollout=rollout)
            try:
                return self._write(copy, rollout, by=by, reason=reason)
            except RaceError:
                self._clock.sleep(random.uniform(0, 0.005 * (attempt + 1)))
        raise ClusterError(f"HTTPRoute `{namespace}/{route}` changed {ROUNDS} times meanwhile.", hint="Try again.")

    def find(self, command: Command, channel: str) -> tuple[str, str, str]:
        """Return namespace and route of the rollout that a command means, and the reason it gives.

        As where the store is asked, a word that names no rollout is the first of the reason. Raises UsageError,
        RouteError, ClusterError.
        """
        rollouts = list(self._records())
        meant = [each for each in rollouts if command.subject in (each.id, each.canary.name)]
        reason = command.reason if meant else f"{command.subject} {command.reason}".strip()
        here = [each for each in rollouts if channel in ("", each.channel) and each.phase not in OVER]
        found = _only(meant or ([] if is_rollout_id(command.subject) else here))
        return found.namespace, found.route, reason

    def _records(self) -> Iterator[Rollout]:
        for namespace in self._routes.namespaces:
            for copy in self._routes.list(namespace):
                if (note := own_note(copy)) is not None:
                    yield note

    def _write(self, copy: RouteCopy, rollout: Rollout, *, by: str, reason: str) -> Braked:
        moment = Moment(now=self._clock.now(), decision=new_decision(), by=by)
        entry = Entry(rollout=rollout, applied=applied_by(rollout, copy.generation))
        after = roll_back(entry, reason, moment).after
        return Braked(rollout=after, missing=self._routes.write(copy, after, weights=True).missing)


def _record_of(copy: RouteCopy) -> Rollout:
    note = own_note(copy)
    if note is None:
        raise RouteError(
            f"HTTPRoute `{copy.namespace}/{copy.name}` carries no rollout of the bot's.",
            hint="See `kubectl get httproutes` for the route that is meant.",
        )
    if note.phase not in ALLOWED[Verb.ROLLBACK]:
        raise TransitionError(
            f"`rollback` does not fit: `{note.canary.name}` is {describe(note)}.", hint=INSTEAD[note.phase]
        )
    return note


def _only(found: Sequence[Rollout]) -> Rollout:
    """Return the one that moves; a finished one only where none does."""
    moving = [each for each in found if each.phase not in SLOTLESS] or found
    if len(moving) == 1:
        return moving[0]
    if not moving:
        raise RouteError("No route carries a rollout like that.", hint="Name its new pool: `rollback POOL`.")
    names = ", ".join(f"`{each.id}` ({each.canary.name})" for each in moving[:10])
    raise UsageError("Several rollouts are meant.", hint=f"Name one: {names}.")
