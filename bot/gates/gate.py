"""What a gate is: a name, the keys that the policy file may give it, and a check."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Protocol

from bot.config.policy_values import Section, one_word_of
from bot.domain.gate import Finding, GateAnswer, OnFail, Readiness
from bot.domain.rollout import Pool, Rollout
from bot.engine.gateway_word import GatewayWord
from bot.engine.route_port import PoolHealth, RouteCopy


class Pools(Protocol):
    """What gates may ask the cluster."""

    def health(self, stable: Pool, canary: Pool) -> PoolHealth:
        """Say whether the canary can serve, and count the ready endpoints of both. Raises ClusterError."""


class RouteStatus(Protocol):
    """What gates may ask about the route. Raises ClusterError."""

    def kept(self, namespace: str, route: str) -> RouteCopy | None:
        """Return the copy that a watch keeps; None if it keeps none."""

    def read(self, namespace: str, route: str) -> RouteCopy:
        """Read one route from the API server."""

    def gateway_word(self, copy: RouteCopy, rollout: Rollout, generation: int) -> GatewayWord:
        """Read what every parent says about ``generation``."""


@dataclass(frozen=True, slots=True)
class GateSources:
    """Where gates get their numbers from. Every call is bounded in time."""

    pools: Pools
    routes: RouteStatus


@dataclass(frozen=True, slots=True)
class Asked:
    """What a gate is asked about: the rollout as it is now, and when. ``sources`` answer questions."""

    rollout: Rollout
    now: datetime
    sources: GateSources


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a check returns: the answer, why it is no pass (a sentence), and what was seen (a few words).

    ``readiness`` is set by a gate that has counted endpoints anyway, so that nobody counts them twice.
    """

    answer: GateAnswer
    reason: str = ""
    evidence: str = ""
    readiness: Readiness | None = None


class Keys(Section):
    """The keys of every gate in the policy file; a gate with more of them has a subclass."""

    on_fail: Annotated[OnFail, one_word_of(OnFail)] = OnFail.ROLL_BACK


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One gate.

    ``check`` gets what is asked and the gate's keys. It may take some seconds and raise anything: no answer in time,
    and an error, are a hold. ``may_fail``: it is also asked between steps. ``judges_traffic``: it is not asked about
    the first weight, before which the canary has no requests. ``required``: no policy switches it off.
    """

    name: str
    about: str  # what it checks, in a few words, for `help`
    check: Callable[[Asked, Any], Found]
    keys: type[Keys] = Keys
    may_fail: bool = False
    judges_traffic: bool = False
    required: bool = False

    def finding(self, found: Found, keys: Keys) -> Finding:
        """Put the gate's name and the policy's word on what it found."""
        return Finding(
            gate=self.name,
            answer=found.answer,
            reason=found.reason,
            evidence=found.evidence,
            on_fail=keys.on_fail,
        )
