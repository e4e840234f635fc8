"""What a gate is: a name, the keys that the policy file may give it, and a check."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, ClassVar, Final, Protocol

from bot.config.policy_values import Flag, Section, one_word_of
from bot.domain.evidence import EvidenceRules
from bot.domain.gate import Figure, Finding, GateAnswer, OnFail, Readiness
from bot.domain.operation import Operation
from bot.domain.rollout import Entry, Pool, Rollout
from bot.engine.gateway_word import GatewayWord
from bot.engine.route_port import PoolHealth, PoolMembers, RouteCopy
from bot.gates.numbers.numbers import Numbers
from bot.gates.numbers.window import Window

OLD_POOL_GONE: Final = "nothing to compare with: the old pool is gone"


class Pools(Protocol):
    """What gates may ask the cluster."""

    def health(self, stable: Pool, canary: Pool) -> PoolHealth:
        """Say whether the canary can serve, and count the ready endpoints of both. Raises ClusterError."""

    def members(self, pool: Pool) -> PoolMembers:
        """Name the pods and the picker's Service of a pool. Raises ClusterError."""

    def least(self, pool: Pool) -> int | None:
        """Return how few model servers an autoscaler may leave a pool; None if none scales it, or nobody knows."""


class RouteStatus(Protocol):
    """What gates may ask about the route. Raises ClusterError."""

    def kept(self, namespace: str, route: str) -> RouteCopy | None:
        """Return the copy that a watch keeps; None if it keeps none."""

    def read(self, namespace: str, route: str) -> RouteCopy:
        """Read one route from the API server."""

    def gateways(self, copy: RouteCopy) -> Sequence[str]:
        """Name the Gateways that a route attaches to (namespace/name)."""

    def senders(self, pool: Pool) -> Sequence[str]:
        """Return the first watched HTTPRoutes that send to a pool (namespace/name)."""

    def has_rules_beside(self, copy: RouteCopy, rollout: Rollout) -> bool:
        """Say whether the route has rules with one of our pools that are not the rollout's."""

    def gateway_word(self, copy: RouteCopy, rollout: Rollout, generation: int) -> GatewayWord:
        """Read what every parent says about ``generation``."""


class LastOperations(Protocol):
    """What gates may ask about operations."""

    def last(self, slot: str) -> Operation | None:
        """Return the operation that holds a slot, or held it last. Raises StoreError, UnreadableError."""


class NoOperations:
    """There are none."""

    def last(self, slot: str) -> Operation | None:
        """Return None."""
        return None


NO_OPERATIONS: Final = NoOperations()


@dataclass(frozen=True, slots=True)
class GateSources:
    """Where gates look. Every call is bounded in time. ``numbers``: None without a Prometheus."""

    pools: Pools
    routes: RouteStatus
    numbers: Numbers | None = None
    operations: LastOperations = NO_OPERATIONS


@dataclass(frozen=True, slots=True)
class Asked:
    """What a gate is asked about: the rollout as it is now, and when. ``sources`` answer questions."""

    entry: Entry
    now: datetime
    sources: GateSources

    @property
    def rollout(self) -> Rollout:
        """Return the rollout's record."""
        return self.entry.rollout

    def is_stable_gone(self) -> bool:
        """Say whether the old pool was deleted, and is not there again. Raises ClusterError."""
        stable, canary = self.rollout.stable, self.rollout.canary
        return self.rollout.stable_gone and self.sources.pools.health(stable, canary).is_stable_gone


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a check returns: the answer, why it is no pass (a sentence), and what was seen (a few words).

    ``standing`` are words for the card that do not depend on the answer.

    ``readiness`` is set by a gate that has counted endpoints anyway, so that nobody counts them twice. ``details`` are
    sentences for whoever asks: what was counted, over which time, and what it would take to fail; ``promql`` asks for
    the same numbers elsewhere.
    """

    answer: GateAnswer
    reason: str = ""
    evidence: str = ""
    standing: str = ""
    figures: tuple[Figure, ...] = ()
    details: str = ""
    promql: str = ""
    readiness: Readiness | None = None


class Keys(Section):
    """The keys of every gate in the policy file; a gate with more of them has a subclass."""

    enabled: Flag = True
    on_fail: Annotated[OnFail, one_word_of(OnFail)] = OnFail.ROLL_BACK


class NumberKeys(Keys):
    """The keys of a gate that judges numbers of Prometheus."""

    needs_prometheus: ClassVar[bool] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One gate.

    ``check`` gets what is asked and the gate's keys. It may take some seconds and raise anything: no answer in time,
    and an error, are a hold. ``asked_between_steps``: not only before a step. ``judges_traffic``: it is not asked
    about the first weight, before which the canary has no requests. ``required``: no policy switches it off.
    ``by_default``: it is on wherever the policy names a Prometheus, unless it is switched off. ``judge``: what it says
    to a window with its keys, if that is all it looks at.
    """

    name: str
    about: str  # what it checks, in a few words, for `help`
    check: Callable[[Asked, Any], Found]
    keys: type[Keys] = Keys
    asked_between_steps: bool = False
    judges_traffic: bool = False
    required: bool = False
    by_default: bool = False
    judge: Callable[[Any, Window, EvidenceRules], Found] | None = None

    def finding(self, found: Found, keys: Keys) -> Finding:
        """Put the gate's name and the policy's word on what it found."""
        return Finding(
            gate=self.name,
            answer=found.answer,
            reason=found.reason,
            evidence=found.evidence,
            standing=found.standing,
            figures=found.figures,
            on_fail=keys.on_fail,
        )
