"""What happened in a run, and when: people's requests, the rival's edits, the faults, and what Redis lost."""

import itertools
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from chaos.schedule import Kind
from sandbox.strict_slack import Delivery

RECEIPT = "Got it: "


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request, typed or clicked. Its reason, if it has one, holds ``token``."""

    verb: str
    rollout: str
    by: str
    delivery: Delivery
    token: str
    at: float
    id: str
    """The id that the bot gives it."""

    @property
    def acknowledged(self) -> float | None:
        """Return when Slack got its first 200."""
        times = [one.at + one.seconds for one in self.delivery.attempts if one.outcome == "acknowledged"]
        return min(times, default=None)

    @property
    def came_last(self) -> float:
        """Return when it last came to a bot: it may be held up on the way, or come twice."""
        return max((one.at + one.seconds for one in self.delivery.attempts), default=self.at)

    @property
    def only_opens(self) -> bool:
        """Return whether it only opens the dialog that asks for a reason."""
        return self.verb == "reject" and self.delivery.kind == "click"

    @property
    def is_taken_in(self) -> bool:
        """Return whether it was acknowledged without a refusal."""
        taken = [one for one in self.delivery.attempts if one.outcome == "acknowledged"]
        return any(not one.answer or one.answer.startswith(RECEIPT) for one in taken)


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One write of the rival; ``version`` is the resourceVersion that it made."""

    kind: Kind
    route: tuple[str, str]
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """What Redis held when it lost data: requests in the inbox, and records not known to be on their routes.

    It lost everything that it was told between ``since`` and ``at``.
    """

    kind: Kind
    since: float
    at: float
    inbox: frozenset[str]
    unwritten: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Struck:
    """A blow that is over."""

    kind: Kind
    since: float
    until: float
    hit: str


@dataclass
class Ledger:
    """Everything that happened; many threads write to it."""

    asked: list[Asked] = field(default_factory=list)
    edits: list[Edit] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)
    struck: list[Struck] = field(default_factory=list)
    hits: dict[Kind, "Counter[str]"] = field(default_factory=lambda: defaultdict(Counter))
    streams: dict[str, list[list[str]]] = field(default_factory=lambda: defaultdict(list))
    """The events of each rollout: one list for each time that Redis started afresh."""
    cut_short: set[str] = field(default_factory=set)
    """The requests that were decided in the last moment before a bot was killed."""
    begun: float = field(default_factory=time.time)
    calm: float = float("inf")
    """When the last fault ended."""
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def token(self) -> str:
        """Return a word that nobody has used yet."""
        return f"t{next(self._numbers):05}"

    def hit(self, kind: Kind, *what: str) -> None:
        """Count what a fault hit."""
        with self._lock:
            self.hits[kind].update(what)

    def strike(self, kind: Kind, since: float, hit: str = "") -> None:
        """Record a blow that is over."""
        self.struck.append(Struck(kind=kind, since=since, until=time.time(), hit=hit))
