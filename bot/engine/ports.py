"""What the engine needs from the outside, as Protocols, and the values that they pass."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from bot.domain.commands.request import Request, StartWords
from bot.domain.events import Event
from bot.domain.gate import Finding, Readiness, Verdict
from bot.domain.rollout import Acceptance, Applied, Change, Entry, Hand, Pair, Pool, Rollout, Rule, Trouble


class Clock(Protocol):
    """The only source of time."""

    def now(self) -> datetime:
        """Return the time, aware, in UTC."""

    def sleep(self, seconds: float) -> None:
        """Let a moment pass."""


# --- the cluster -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteCopy:
    """An HTTPRoute as it was read. ``note`` is the record in our annotation; ``document`` is only for k8s/."""

    namespace: str
    name: str
    uid: str
    generation: int
    annotation: str | None
    note: Rollout | None
    document: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What a start finds in the cluster: the route, the pair of pools, and the rules that hold the stable one."""

    copy: RouteCopy
    stable: Pool
    canary: Pool
    rules: tuple[Rule, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A patch that the API server accepted. ``missing`` names rules that were not found, so not written."""

    generation: int
    missing: tuple[str, ...] = ()


class Guard(StrEnum):
    """What a step tests on the route, besides its uid and our annotation, so that it changes nothing that moved.

    A roll back always has its own guard.
    """

    GENERATION = "generation"  # nobody has edited the spec
    TOUCHED = "touched"  # our backendRefs are the same, in the same places, with the same weights as we read


class GatewaySays(StrEnum):
    """What the route's status says about a generation."""

    NOTHING = "nothing"
    ACCEPTED = "accepted"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayWord:
    """The gateway's answer, with its message if it said no."""

    says: GatewaySays
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolHealth:
    """Why the canary cannot serve, in a sentence (empty if it can), and the ready endpoints of both pools."""

    lack: str
    readiness: Readiness


class Routes(Protocol):
    """HTTPRoutes and InferencePools. Every call is bounded in time.

    Raises ClusterError (no answer, an error), RefusedError (403, 404, 422), RaceError (a guard failed).
    """

    def survey(self, canary: str, words: StartWords) -> Scene:
        """Find the route, the stable pool and the rules for a start. Raises RouteError with ready-to-copy help."""

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

    @property
    def namespaces(self) -> Sequence[str]:
        """Return the namespaces we work in."""

    def list(self, namespace: str) -> Sequence[RouteCopy]:
        """Read the routes of a namespace from the API server."""

    def copies(self, namespace: str) -> Sequence[RouteCopy]:
        """Return the routes of a namespace: a watch's copies, which may be old, else from the API server."""

    def pools(self, namespace: str) -> Set[str]:
        """Return the names of the pools of a namespace: from a watch, else from the API server."""

    def observe(self, copy: RouteCopy, rollout: Rollout) -> tuple[Pair | None, ...]:
        """Return the weights of each rule of the rollout as the copy has them; None: the rule is gone."""

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

    def gateway_says(self, copy: RouteCopy, generation: int) -> GatewayWord:
        """Read the acceptance of ``generation`` by every parent out of a copy."""

    def health(self, stable: Pool, canary: Pool) -> PoolHealth:
        """Say whether the canary can serve, and count the ready endpoints of both pools."""

    def readiness(self, stable: Pool, canary: Pool) -> Readiness:
        """Count the ready endpoints of both pools."""


class Gates(Protocol):
    """Checks before the canary gets more traffic; bounded in time, and never asked before a roll back."""

    @property
    def about(self) -> Mapping[str, str]:
        """Return what each gate checks, by its name."""

    @property
    def may_fail(self) -> bool:
        """Say whether any gate that can fail a rollout between steps is switched on."""

    def check(self, rollout: Rollout) -> Verdict:
        """Ask every gate whether the canary may get more."""

    def check_between_steps(self, rollout: Rollout) -> Verdict:
        """Ask the gates that can fail a rollout."""


# --- the store -------------------------------------------------------------------------------------------------


class Saved(StrEnum):
    """What became of a compare-and-save."""

    YES = "yes"
    LOST = "lost"  # another decision is stored: load it and decide again
    DECIDED = "decided"  # the request is no longer in the inbox: somebody else has done it
    FORGOTTEN = "forgotten"  # the store has never seen this request
    TAKEN = "taken"  # the route's slot is held by another rollout
    FOLLOWED = "followed"  # a newer rollout came after this one on the route


@dataclass(frozen=True, slots=True, kw_only=True)
class Save:
    """One decision for the store, all or nothing.

    ``expected`` is the decision id that must be stored now (None: the rollout must be unknown), ``request``
    the delivery that must still be in the inbox and leaves it. ``applied`` is given where the decision itself
    says what is on the route (adoption, refusal); ``settled``: nothing is left to write.
    """

    change: Change
    expected: str | None
    request: str | None = None
    take_slot: bool = False
    applied: Applied | None = None
    settled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Became:
    """The result of a request: the id of what it changed, or the sentence that refused it."""

    rollout: str = ""
    refusal: str = ""
    operation: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What was learnt about a decision; None leaves a field unchanged, ``no_due`` removes the due time.

    ``step_due`` is written with either of them: it is None there where nobody knows when the next step comes.
    """

    acceptance: Acceptance | None = None
    due: datetime | None = None
    no_due: bool = False
    step_due: datetime | None = None
    trouble: Trouble | None = None
    readiness: Readiness | None = None
    findings: tuple[Finding, ...] | None = None
    events: tuple[Event, ...] = ()
    redraw: bool = True


class Store(Protocol):
    """Records, inbox, due times. Raises StoreError; every call is bounded in time (about a second)."""

    def receive(self, request: Request) -> bool:
        """Put a request into the inbox; False if this delivery was seen before."""

    def requests(self, received_before: datetime) -> Sequence[Request]:
        """Return requests that have waited in the inbox since before a time, oldest first."""

    def drop(self, delivery: str, became: Became) -> bool:
        """Remove a request that changed nothing from the inbox; False if it was gone already."""

    def became(self, delivery: str) -> Became:
        """Return the result of a request of the last 15 minutes; both empty if nothing is known."""

    def load(self, rollout_id: str) -> Entry | None:
        """Return what is stored of a rollout."""

    def load_all(self, ids: Sequence[str]) -> Sequence[Entry]:
        """Return what is stored of several rollouts, in one round trip."""

    def entries(self) -> Sequence[Entry]:
        """Return all rollouts that are not over, newest first."""

    def named(self, canary: str) -> Sequence[Entry]:
        """Return the last rollouts of a canary, newest first, over or not."""

    def in_channel(self, channel: str) -> Sequence[Entry]:
        """Return the last rollouts of a channel, newest first, over or not."""

    def slot(self, route_uid: str) -> str | None:
        """Return the id of the rollout that has the route."""

    def latest(self, route_uid: str) -> str | None:
        """Return the id of the newest rollout that was not refused on the route."""

    def save(self, save: Save) -> Saved:
        """Compare and save one decision."""

    def applied(self, rollout_id: str, applied: Applied, *, moved: bool) -> None:
        """Save that a decision is on the route; ``moved``: its weights were written and wait for acceptance."""

    def learn(self, rollout_id: str, decision: str, progress: Progress) -> bool:
        """Save what was learnt, if this decision is still the stored one."""

    def unapplied(self, now: datetime, *, brakes: bool) -> Sequence[str]:
        """Return ids of rollouts with a roll back, or else another decision, to write whose next try is due."""

    def retry_at(self, rollout_id: str, at: datetime) -> None:
        """Set the next try of a write."""

    def forget_due(self, rollout_id: str) -> None:
        """Remove a due time that belongs to no record."""

    def is_whole(self) -> bool:
        """Say whether everything that was stored is still there; ``save`` raises StoreError while it is not."""

    def doubt(self) -> None:
        """Make the board look again at what Slack shows of every rollout."""

    def declare_whole(self, now: datetime) -> None:
        """Say that everything is restored."""


# --- what the board keeps --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What Slack shows of a rollout. ``ts`` empty: not posted, or posted with an unclear answer since ``claimed``.

    ``cursor`` is how many events of the stream are in the thread; ``thread_claimed`` is set while a message for the
    thread is on its way. ``posts`` counts the cards posted so far (block ids end in it).

    ``forgotten`` is how many events the thread tells that the stream has lost. ``doubt`` is set where the store had
    lost something: Slack may show more than this says. It is how many events the stream had then.
    """

    channel: str
    ts: str = ""
    digest: str = ""
    posts: int = 0
    claimed: datetime | None = None
    cursor: int = 0
    thread_claimed: datetime | None = None
    forgotten: int = 0
    doubt: int | None = None


class BoardMemory(Protocol):
    """The board's own memory: which cards are behind, what Slack shows, the event stream. Raises StoreError."""

    def dirty(self, limit: int) -> Sequence[str]:
        """Return ids of rollouts whose card or thread is behind, state changes first."""

    def clean(self, rollout_id: str, seen: str) -> None:
        """Take a card off the outdated ones, unless it was marked again since ``mark(rollout_id)`` was ``seen``."""

    def mark(self, rollout_id: str) -> str:
        """Return the mark under which a card is outdated now; it changes whenever the card is marked again."""

    def shown(self, rollout_id: str) -> Shown | None:
        """Return what Slack shows of a rollout."""

    def show(self, rollout_id: str, shown: Shown, *, was: Shown | None) -> bool:
        """Save what Slack shows, unless somebody else has saved it since it ``was``; say whether it is saved."""

    def events(self, rollout_id: str, after: int) -> Sequence[Event]:
        """Return the events of the stream after the first ``after`` ones."""
