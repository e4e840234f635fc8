"""What should go wrong with Slack, and how often each kind of fault has hit each method."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Event, Lock

ANY = "*"
RESPOND = "response_url"
"""The name for the addresses of private answers, among the methods."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fault:
    """One thing that goes wrong.

    ``kind`` is "429"; "500", or "500 after" the effect; "hang" (the call is taken and never answered), or
    "hang after" the effect; "lost" (it is carried out, but the connection ends without an answer); "moved" (the
    caller is sent elsewhere); or an error of Slack's, such as "fatal_error".
    """

    kind: str
    method: str = ANY
    channel: str = ANY
    retry_after: int = 30
    lifted: Event = field(default_factory=Event, repr=False)

    @property
    def answer(self) -> str:
        """Return what the caller sees."""
        return self.kind.removesuffix(" after")

    @property
    def has_effect(self) -> bool:
        """Return whether the call is carried out nevertheless."""
        return self.kind == "lost" or self.kind.endswith(" after")

    def meets(self, method: str, channel: str) -> bool:
        """Return whether the fault hits a call."""
        return self.method in (ANY, method) and self.channel in (ANY, channel)


@dataclass
class Faults:
    """The coming faults; threads may add, lift and count them while calls arrive."""

    _once: list[Fault] = field(default_factory=list)
    _standing: list[Fault] = field(default_factory=list)
    _hit: "Counter[tuple[str, str]]" = field(default_factory=Counter)
    _lock: Lock = field(default_factory=Lock)

    def next(self, method: str, *kinds: str, channel: str = ANY, retry_after: int = 30) -> None:
        """Make the next calls of a method fail, one for each kind."""
        made = [Fault(kind=kind, method=method, channel=channel, retry_after=retry_after) for kind in kinds]
        with self._lock:
            self._once += made

    def begin(self, kind: str, *, method: str = ANY, channel: str = ANY, retry_after: int = 30) -> Fault:
        """Make every call of a method, or about a channel, fail until the fault is lifted."""
        fault = Fault(kind=kind, method=method, channel=channel, retry_after=retry_after)
        with self._lock:
            self._standing.append(fault)
        return fault

    def lift(self, fault: Fault) -> None:
        """End a fault. Calls that hang end without an answer."""
        with self._lock:
            self._standing.remove(fault)
        fault.lifted.set()

    def lift_all(self) -> None:
        """End all faults, present and coming."""
        with self._lock:
            ended = [*self._once, *self._standing]
            self._once.clear()
            self._standing.clear()
        for fault in ended:
            fault.lifted.set()

    def pick(self, method: str, channel: str) -> Fault | None:
        """Return what happens to a call, and count it."""
        with self._lock:
            fault = next((one for one in [*self._once, *self._standing] if one.meets(method, channel)), None)
            if fault in self._once:
                self._once.remove(fault)
            if fault is not None:
                self._hit[fault.kind, method] += 1
            return fault

    def count(self, kind: str, method: str) -> None:
        """Count something that went wrong elsewhere, such as a delivery that came twice."""
        with self._lock:
            self._hit[kind, method] += 1

    @property
    def hit(self) -> Mapping[tuple[str, str], int]:
        """Return how often each kind has hit each method."""
        with self._lock:
            return dict(self._hit)
