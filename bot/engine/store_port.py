"""What the engine and the board need of Redis, as Protocols, and the values that cross them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from bot.domain.commands.request import Request
from bot.domain.events import Event
from bot.domain.gate import Finding, Readiness
from bot.domain.rollout import Acceptance, Applied, Change, Entry, Trouble


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
    ``retry`` is when a write that is still pending is tried next.
    """

    acceptance: Acceptance | None = None
    due: datetime | None = None
    no_due: bool = False
    step_due: datetime | None = None
    retry: datetime | None = None
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
        """Return the result of a request of the last 15 minutes; all fields are empty if nothing is known."""

    def load(self, rollout_id: str) -> Entry | None:
        """Return what is stored of a rollout."""

    def load_all(self, ids: Sequence[str]) -> Sequence[Entry]:
        """Return what is stored of several rollouts, without those that cannot be read."""

    def entries(self) -> Sequence[Entry]:
        """Return all rollouts that are not over, newest first."""

    def named(self, canary: str) -> Sequence[Entry]:
        """Return the rollouts of a canary that are not over, then its last ones that are, newest first."""

    def in_channel(self, channel: str) -> Sequence[Entry]:
        """Return the rollouts of a channel that are not over, then its last ones that are, newest first."""

    def slot(self, route_uid: str) -> str | None:
        """Return the id of the rollout that has the route."""

    def latest(self, route_uid: str, *, but: str = "") -> str | None:
        """Return the id of the newest rollout that was not refused on the route, other than ``but``."""

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

    def set_aside(self, rollout_id: str, until: datetime) -> None:
        """Look at a record that cannot be read no sooner than that: a newer version of the bot may read it."""

    def is_whole(self) -> bool:
        """Say whether everything that was stored is still there; ``save`` raises StoreError while it is not."""

    def doubt(self) -> None:
        """Make the board look again at what Slack shows of every rollout."""

    def declare_whole(self, now: datetime) -> None:
        """Say that everything is restored."""


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

    def dirty(self, limit: int) -> Mapping[str, str]:
        """Return which cards or threads are behind, the most urgent first, by id of the rollout.

        The value is the mark under which a card is behind; it changes whenever the card is marked again.
        """

    def clean(self, rollout_id: str, seen: str) -> None:
        """Take a card off the outdated ones, unless it was marked again since its mark was ``seen``."""

    def shown(self, rollout_id: str) -> Shown | None:
        """Return what Slack shows of a rollout."""

    def show(self, rollout_id: str, shown: Shown, *, was: Shown | None) -> bool:
        """Save what Slack shows, unless somebody else has saved it since it ``was``; say whether it is saved."""

    def events(self, rollout_id: str, after: int) -> Sequence[Event]:
        """Return the events of the stream after the first ``after`` ones."""
