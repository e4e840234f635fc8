"""Windows for tests of gates: say only what the pools did."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from bot.domain.evidence import EvidenceRules
from bot.domain.rollout import Entry, Pool
from bot.engine.route_port import PoolHealth, PoolMembers
from bot.gates.gate import Asked, GateSources
from bot.gates.numbers.names import Count, Level, Time
from bot.gates.numbers.numbers import Numbers
from bot.gates.numbers.tally import EVER, Buckets, Streams, Tally
from bot.gates.numbers.window import Slice, Window
from tests.builders import CANARY, NOON, READY, an_entry

BOUNDS = (0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, EVER)
STEP = 15.0
MEMBERS = PoolMembers(pool=Pool("default", CANARY), pods=("new-a", "new-b"), picker="new-epp")
RULES = EvidenceRules(prometheus="http://prometheus")

Story = Callable[[int], Mapping[str, Any]]
"""What a pool does in the slice of a number: the arguments of ``a_tally``."""


def buckets(seconds: Iterable[float], bounds: Sequence[float] = BOUNDS) -> Buckets:
    """Return a histogram of some times."""
    times = list(seconds)
    return {bound: sum(time <= bound for time in times) for bound in bounds}


def a_tally(
    number: int = 0,
    *,
    good: int = 0,
    away: int = 0,
    broken: int = 0,
    more: Mapping[Count, int] | None = None,
    times: Mapping[Time, Buckets] | None = None,
    running: tuple[float, float] = (0, 0),
    waiting: float = 0,
    cache: float = 0,
    pods: int = 2,
    of: int | None = None,
    engines: int | None = None,
    is_steady: bool = True,
    streams: Streams | None = None,
) -> Tally:
    """Return what a pool did in the slice of a number; every answer takes 50 ms to its first token, and 1 s in all."""
    answers = {Count.GOOD: good, Count.TURNED_AWAY: away, Count.BROKEN: broken} if good + away + broken else {}
    shown = {Time.FIRST_TOKEN: buckets([0.05] * good), Time.WHOLE: buckets([1.0] * good)}
    return Tally(
        start=number * STEP,
        known_since=number * STEP,
        end=(number + 1) * STEP,
        pods=pods,
        of=pods if of is None else of,
        engines=pods if engines is None else engines,
        is_steady=is_steady,
        counts={**answers, **(more or {})},
        times={**shown, **(times or {})},
        before={Level.RUNNING: running[0]},
        after={Level.RUNNING: running[1], Level.WAITING: waiting, Level.CACHE: cache},
        servers={"a": streams} if streams else {},
    )


def a_window(canary: Story, stable: Story, *, slices: int = 16) -> Window:
    """Return a window, four minutes long if nothing else is said."""
    pairs = [Slice(a_tally(number, **stable(number)), a_tally(number, **canary(number))) for number in range(slices)]
    return Window(slices=tuple(pairs), step=STEP, members=MEMBERS)


def always(**does: Any) -> Story:
    """Return a pool that does the same in every slice."""
    return lambda number: does


@dataclass(frozen=True)
class _Given:
    """Numbers that a test has made."""

    made: Window
    rules: EvidenceRules

    def window(self, entry: Entry, now: object, after: object = None) -> Window:
        return self.made


@dataclass(frozen=True)
class _Scaled:
    """Pools of which an autoscaler may leave so many servers, and why the new one cannot serve."""

    least_of_all: int | None
    lack: str

    def least(self, pool: Pool) -> int | None:
        return self.least_of_all

    def health(self, stable: Pool, canary: Pool) -> PoolHealth:
        return PoolHealth(lack=self.lack, readiness=READY)


def asked(
    window: Window,
    *,
    rules: EvidenceRules = RULES,
    entry: Entry | None = None,
    routes: Any = None,
    least: int | None = None,
    lack: str = "",
) -> Asked:
    """Return a question about a window.

    ``least``: so many servers an autoscaler may leave a pool. ``lack``: why the new pool cannot serve.
    """
    pools = cast(Any, _Scaled(least, lack))
    numbers = cast(Numbers, _Given(window, rules))
    return Asked(entry or an_entry(), NOON, GateSources(pools=pools, routes=routes, numbers=numbers))


def shorter(rules: EvidenceRules = RULES, **changes: Any) -> EvidenceRules:
    """Return rules with some changes."""
    return replace(rules, **changes)
