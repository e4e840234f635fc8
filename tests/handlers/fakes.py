"""Stand-ins for the engine and the store: they keep what they are given, in memory."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from threading import Event as Signal
from typing import Any, cast

from bot.config.policy import Policy
from bot.domain.commands.request import ANYWHERE, STATUS, Request, Where
from bot.domain.errors import UnreadableError, UserError
from bot.domain.events import Event
from bot.domain.gate import Look, Verdict
from bot.domain.rollout import Entry, Rollout
from bot.domain.verbs.asking import Cluster, Reply, Sources, Starts
from bot.engine.inquiry import answer
from bot.engine.store_port import Became, Shown, Store
from tests.builders import NOON

MOST = 10_000


class NoGates:
    """No gate is on."""

    @property
    def about(self) -> Mapping[str, str]:
        """Return nothing."""
        return {}

    def check(self, entry: Entry) -> Verdict:
        """Pass."""
        return Verdict()

    def look(self, entry: Entry) -> Sequence[Look]:
        """Return nothing."""
        return []


@dataclass
class Hand:
    """A clock that is moved by hand."""

    time: datetime = NOON

    def now(self) -> datetime:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)

    def forward(self, **by: float) -> datetime:
        self.time += timedelta(**by)
        return self.time


@dataclass
class Memory:
    """The store as the board sees it."""

    entries: dict[str, Entry] = field(default_factory=dict)
    shows: dict[str, Shown] = field(default_factory=dict)
    streams: dict[str, list[Event]] = field(default_factory=dict)
    marks: dict[str, int] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    unreadable: str = ""
    loads: Counter[str] = field(default_factory=Counter)
    gone: Signal = field(default_factory=Signal)

    def put(self, entry: Entry, *events: Event, place: int = MOST) -> None:
        """Store a decision: the card is dirty then, at a place in the line."""
        rollout_id = entry.rollout.id
        self.entries[rollout_id] = entry
        self.streams.setdefault(rollout_id, []).extend(events)
        self.marks[rollout_id] = self.marks.get(rollout_id, 0) + 1
        if rollout_id not in self.order:
            self.order.insert(place, rollout_id)

    def as_store(self) -> Store:
        return cast(Store, self)

    def load(self, rollout_id: str) -> Entry | None:
        self.loads[rollout_id] += 1
        if rollout_id == self.unreadable:
            raise UnreadableError("The record is of another version.")
        return self.entries.get(rollout_id)

    def dirty(self, limit: int) -> Mapping[str, str]:
        return {rollout_id: self.mark(rollout_id) for rollout_id in self.order[:limit]}

    def clean(self, rollout_id: str, seen: str) -> None:
        if self.mark(rollout_id) == seen:
            self.order.remove(rollout_id)

    def mark(self, rollout_id: str) -> str:
        return str(self.marks.get(rollout_id, 0))

    def shown(self, rollout_id: str) -> Shown | None:
        return self.shows.get(rollout_id)

    def show(self, rollout_id: str, shown: Shown, *, was: Shown | None) -> bool:
        if self.shows.get(rollout_id) != was:
            return False
        self.shows[rollout_id] = shown
        return True

    def events(self, rollout_id: str, after: int) -> Sequence[Event]:
        return self.streams.get(rollout_id, [])[after:]

    def drop(self, delivery: str, became: Became) -> bool:
        self.dropped.append(delivery)
        self.gone.set()
        return True


@dataclass(frozen=True)
class Done:
    entry: Entry
    said: str = ""
    missing: tuple[str, ...] = ()
    written: bool = True
    as_before: bool = True

    @property
    def rollout(self) -> Rollout:
        return self.entry.rollout


@dataclass
class FakeEngine:
    """Takes everything in, and does what ``outcome`` says."""

    known: list[Entry] = field(default_factory=list)
    ended: list[Entry] = field(default_factory=list)
    received: list[Request] = field(default_factory=list)
    processed: list[str] = field(default_factory=list)
    outcome: Any = None
    braked: Any = None
    braking: list[str] = field(default_factory=list)
    refusal: Exception | None = None
    gate: Signal | None = None
    looking: Signal | None = None
    done: Signal = field(default_factory=Signal)

    def receive(self, request: Request) -> bool:
        if self.refusal:
            raise self.refusal
        is_new = request.delivery not in [seen.delivery for seen in self.received]
        self.received.append(request)
        return is_new

    def carry_out(self, request: Request) -> Entry | None:
        if self.gate is not None and request.delivery.startswith("slow"):
            assert self.gate.wait(10)
        self.processed.append(request.delivery)
        self.done.set()
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return cast(Entry | None, self.outcome and self.outcome.entry)

    def look(self, entry: Entry, verb: str) -> str:
        if self.looking is not None:
            assert self.looking.wait(10)
        return str(self.outcome.said)

    def brake(self, request: Request) -> Done:
        self.braking.append(request.delivery)
        if isinstance(self.braked, Exception):
            raise self.braked
        return cast(Done, self.braked)

    def answer(self, request: Request, program: str) -> Reply:
        sources = Sources(
            starts=cast(Starts, None),
            rollouts=self,
            cluster=cast(Cluster, None),
            gates=NoGates(),
            rules=Policy(namespaces=("default",)),
        )
        return answer(request, sources, program=program, now=request.at)

    def find(self, subject: str, channel: str, where: Where = ANYWHERE, *, verb: str = STATUS) -> Entry:
        if self.refusal:
            raise self.refusal
        for entry in [*self.known, *self.ended]:
            is_here = not subject and entry.rollout.channel == channel
            if is_here or subject in (entry.rollout.id, entry.rollout.canary.name):
                return entry
        raise UserError(f"There is no rollout `{subject}`.")

    def entries(self, channel: str = "") -> Sequence[Entry]:
        if self.refusal:
            raise self.refusal
        return [entry for entry in self.known if channel in ("", entry.rollout.channel)]


def moved(entry: Entry, **changes: Any) -> Entry:
    """Return an entry whose rollout has gone on."""
    return replace(entry, rollout=replace(entry.rollout, **changes))
