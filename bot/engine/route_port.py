"""What the engine needs of the cluster, as a Protocol, and the values that cross it."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from bot.domain.check import Line, Report
from bot.domain.commands.request import START, StartWords
from bot.domain.gate import Readiness
from bot.domain.rollout import Hand, Pair, Pool, Rollout, Rule
from bot.engine.gateway_word import GatewayWord


class Proof(StrEnum):
    """What is known of who wrote a note."""

    SIGNED = "signed"  # a process with a key of our install
    UNSIGNED = "unsigned"  # anybody: none of our keys has signed it
    UNPROTECTED = "unprotected"  # anybody: this process has no key


@dataclass(frozen=True, slots=True)
class Note:
    """The record in our annotation."""

    rollout: Rollout
    proof: Proof


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteCopy:
    """An HTTPRoute as it was read. ``note`` is what our annotation says; ``document`` is only for k8s/."""

    namespace: str
    name: str
    uid: str
    generation: int
    annotation: str | None
    note: Note | None
    document: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What a start finds in the cluster: the route, the pair of pools, the rules that move, and what was looked at."""

    copy: RouteCopy
    stable: Pool
    canary: Pool
    rules: tuple[Rule, ...]
    report: Report = field(default_factory=Report)
    known: tuple[str, ...] = ()  # keys of what the gateways say against the route as it is


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A patch that the API server accepted.

    ``missing`` names rules that were not found, so not written. ``taken`` names others that a roll back took for them,
    because they had exactly the weights that were written there.
    """

    generation: int
    missing: tuple[str, ...] = ()
    taken: tuple[str, ...] = ()


class Guard(StrEnum):
    """What a write tests on the route, besides its uid, so that it changes nothing that moved.

    A roll back always tests what our backendRefs are, and never the generation.
    """

    GENERATION = "generation"  # nobody has edited the spec, or our annotation
    TOUCHED = "touched"  # our backendRefs are the same, in the same places; for a step also weights and annotation


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolMembers:
    """Who serves a pool now, by their exact names: its pods, and the Service of its endpoint picker (empty: none).

    ``ready`` are the pods that are ready, each with its uid and how often it has restarted: ``NAME/UID/COUNT``. A pod
    of a StatefulSet comes back under its name.
    """

    pool: Pool
    pods: tuple[str, ...]
    picker: str = ""
    ready: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolHealth:
    """Why the canary cannot serve, in a sentence (empty if it can), the ready endpoints of both pools, and whether the
    stable pool does not exist.
    """

    lack: str
    readiness: Readiness
    is_stable_gone: bool = False


class Routes(Protocol):
    """HTTPRoutes and InferencePools. Every call is bounded in time.

    Raises ClusterError (no answer, an error), RefusedError (403, 404, 422), RaceError (a guard failed).
    """

    def survey(self, canary: str, words: StartWords, verb: str = START) -> Survey:
        """Find the route, the stable pool and the rules for a start, and what speaks against it.

        Raises RouteError with help that is ready to copy; it offers commands of ``verb``.
        """

    def access(self, namespaces: Sequence[str]) -> Sequence[Line]:
        """Say which rights the bot lacks in these namespaces, what is not served there, and what is installed."""

    def read(self, namespace: str, route: str) -> RouteCopy:
        """Read one route from the API server."""

    def kept(self, namespace: str, route: str) -> RouteCopy | None:
        """Return the copy that a watch keeps; None if it keeps none. It may be a moment old."""

    def hand(self, copy: RouteCopy) -> Hand:
        """Say who edited the route last, other than us."""

    def note_hand(self, copy: RouteCopy) -> Hand | None:
        """Say who put our annotation there, if it was somebody else."""

    def owner(self, copy: RouteCopy) -> str:
        """Say which other controller moves the weights of a route; empty if none does."""

    def is_gone(self, pool: Pool) -> bool:
        """Ask whether an InferencePool is missing."""

    def is_ending(self, pool: Pool) -> bool:
        """Ask whether an InferencePool is being deleted, and still there."""

    @property
    def namespaces(self) -> Sequence[str]:
        """Return the namespaces we work in."""

    def list(self, namespace: str) -> Sequence[RouteCopy]:
        """Read the routes of a namespace from the API server."""

    def copies(self, namespace: str) -> Sequence[RouteCopy]:
        """Return the routes of a namespace: a watch's copies, which may be old, else from the API server."""

    def pools(self, namespace: str) -> Set[str]:
        """Return the names of a namespace's pools that are there to stay: from a watch, else from the API server."""

    def observe(self, copy: RouteCopy, rollout: Rollout) -> tuple[Pair | None, ...]:
        """Return the weights of each rule of the rollout as the copy has them; None: the rule is gone."""

    def is_rewritten(self, copy: RouteCopy, rollout: Rollout) -> bool:
        """Say whether rules of a roll back are missing while others have exactly the weights that were written there.

        A roll back puts those back too.
        """

    def shows(self, copy: RouteCopy, rollout: Rollout) -> bool:
        """Say whether a route still looks like the rollout's: one of the rules that are found holds the canary, or all
        the traffic of those rules goes to the old pool.
        """

    def to_stable(self, copy: RouteCopy, rollout: Rollout) -> tuple[Rule, ...]:
        """Return the rollout's rules that are there, as if the old pool had had all the traffic that both have now.

        If some are missing, all other rules that hold both pools stand in for them.
        """

    def write(
        self,
        copy: RouteCopy,
        rollout: Rollout,
        *,
        weights: bool,
        guard: Guard = Guard.GENERATION,
        rehearse: bool = False,
    ) -> Written:
        """Patch the annotation and, with ``weights``, our two backendRefs to what the rollout wants.

        ``rehearse`` asks the API server to check everything and store nothing.
        """

    def gateway_word(self, copy: RouteCopy, rollout: Rollout, generation: int) -> GatewayWord:
        """Read what every parent says about ``generation`` out of a copy, and what the Gateways say of themselves."""

    def gateways(self, copy: RouteCopy) -> Sequence[str]:
        """Name the Gateways that a route attaches to (namespace/name)."""

    def senders(self, pool: Pool) -> Sequence[str]:
        """Return the first watched HTTPRoutes that send to a pool (namespace/name)."""

    def has_rules_beside(self, copy: RouteCopy, rollout: Rollout) -> bool:
        """Say whether the route has rules with one of the rollout's pools that are not the rollout's."""

    def members(self, pool: Pool) -> PoolMembers:
        """Name the pods and the picker's Service of a pool."""

    def least(self, pool: Pool) -> int | None:
        """Return how few model servers an autoscaler may leave a pool; None if none scales it, or nobody knows."""

    def health(self, stable: Pool, canary: Pool) -> PoolHealth:
        """Say whether the canary can serve, and count the ready endpoints of both pools."""

    def readiness(self, stable: Pool, canary: Pool) -> Readiness:
        """Count the ready endpoints of both pools."""
