"""What a trial needs of the cluster, as a Protocol, and the values that cross it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from bot.domain.rollout import Pool


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """An HTTPRoute and the two pools between which it splits, or will."""

    namespace: str
    route: str
    stable: Pool
    canary: Pool


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """Where requests for a route are sent, and what becomes of them there.

    ``address`` and ``port`` are the Gateway's own. ``host`` is the name to ask for; empty: any. ``weight`` is the
    canary's percent of the pair in the rule that takes the requests, 0 or 100 only if the other one has nothing;
    ``rule`` is that rule's place, from 0.
    """

    address: str
    port: int
    host: str
    is_tls: bool
    rule: int
    weight: int


class Trials(Protocol):
    """Gateways' addresses, and routes of our own for a trial. Every call is bounded in time.

    Raises ClusterError (no answer, an error), RefusedError (403, 404, 422) and RouteError (a sentence for people).
    """

    def aim(self, pair: Pair, path: str, headers: Mapping[str, str]) -> Aim:
        """Find out where a POST of ``path`` with these headers goes. Raises RouteError if to neither of the pools."""

    def models(self, pair: Pair) -> tuple[frozenset[str], str]:
        """Return the names of models that both pools serve, and why nobody knows if none is known."""

    def pools_of_pods(self, pair: Pair) -> Mapping[str, str]:
        """Return the name of the pool of each pod of the two."""

    def make_route(self, pair: Pair, rule: int, trial: str, header: str, alone: Mapping[str, Pool]) -> None:
        """Make a route like the pair's for requests with ``header: key``, all to the pool of that key; it may be there.

        Answers that came through it have the same header.
        """

    def is_taken(self, pair: Pair, trial: str) -> bool:
        """Say whether the gateway has accepted the route of a trial. Raises RouteError if it has refused it."""

    def remove_route(self, namespace: str, trial: str) -> None:
        """Remove the route of a trial; it may be gone."""

    def remove_strays(self, older_than: timedelta) -> None:
        """Remove the routes of all trials that were made so long ago that no trial can still need them."""
