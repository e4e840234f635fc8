"""What is wrong with a new pool, or hard about a good one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from canaries.lane import Lane
from sandbox.dataplane.route_table import IGNORES_WEIGHTS, ONE_PICKER
from sandbox.load.ledger import Record

Act = Callable[[Lane], None]


def _nothing(lane: Lane) -> None:
    """Change nothing."""


def _failed(record: Record) -> bool:
    return record.failed


def _any(record: Record) -> bool:
    return True


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """``prepare`` is done before the new pool gets its weight, ``later`` some seconds after, ``end`` takes it all back.

    ``is_bad`` says which requests of the new pool count as bad ones. ``rate``: requests a second.
    """

    name: str
    prepare: Act = _nothing
    later: Mapping[float, Act]
    end: Act = _nothing
    is_bad: Callable[[Record], bool] = _failed
    rate: float = 20.0
    is_honest: bool = False


def _behaves(**how: Any) -> Act:
    return lambda lane: lane.behave(lane.new, **how)


def _both_behave(**how: Any) -> Act:
    def act(lane: Lane) -> None:
        for pool in (lane.old, lane.new):
            lane.behave(pool, **how)

    return act


def _bad(
    name: str,
    prepare: Act,
    *,
    is_bad: Callable[[Record], bool] = _failed,
    end: Act = _nothing,
    rate: float = 20.0,
) -> Scenario:
    return Scenario(name=name, prepare=prepare, later={}, is_bad=is_bad, end=end, rate=rate)


def _honest(
    name: str, prepare: Act = _nothing, *, later: Mapping[float, Act] | None = None, rate: float = 20.0
) -> Scenario:
    return Scenario(name=name, prepare=prepare, later=later or {}, rate=rate, is_honest=True)


BAD: Final = (
    _bad("1 % answered with 5xx", _behaves(fails=0.01)),
    _bad("5 % answered with 5xx", _behaves(fails=0.05)),
    _bad("5 % answered with 5xx, twice the requests", _behaves(fails=0.05), rate=40.0),
    _bad("20 % answered with 5xx", _behaves(fails=0.2)),
    _bad("half of the streams cut", _behaves(cuts=0.5)),
    _bad("first token x1.5", _behaves(first_token_ms=45.0, prompt_token_ms=0.075), is_bad=_any),
    _bad("first token x3", _behaves(first_token_ms=90.0, prompt_token_ms=0.15), is_bad=_any),
    _bad("slow decode, x3", _behaves(token_ms=12.0), is_bad=_any),
    _bad("a growing queue", _behaves(slots=1, token_ms=40.0), is_bad=_any),
    _bad("an adapter is missing", lambda lane: lane.unload(lane.new), end=lambda lane: lane.load(lane.new)),
    _bad("half of its servers fail all", lambda lane: lane.behave_one(lane.new, fails=1.0)),
    _bad("an empty pool", lambda lane: lane.scale(lane.new, 0), end=lambda lane: lane.scale(lane.new, 2)),
    _bad("the gateway ignores weights", lambda lane: lane.misroute(IGNORES_WEIGHTS), is_bad=_any),
    _bad("one picker for both pools", lambda lane: lane.misroute(ONE_PICKER), is_bad=_any),
)

HONEST: Final = (
    _honest("nothing special"),
    _honest("very uneven answers", _both_behave(spread=0.9)),
    _honest("both pools fail 5 %", _both_behave(fails=0.05)),
    _honest("longer prompts on the new pool", later={1.0: lambda lane: lane.ask_with_long_prompts(1.0, 40.0)}),
    _honest("a cold cache", _behaves(first_token_ms=90.0), later={5.0: _behaves(first_token_ms=30.0)}),
    _honest("a server restarts in both", later={9.0: lambda lane: lane.crash_one_each()}),
    _honest("Prometheus is away for a while", later={8.0: lambda lane: lane.lose_prometheus(5.0)}),
    _honest("one bad moment", later={9.0: _behaves(fails=0.15), 12.0: _behaves(fails=0.0)}),
    _honest("few requests", rate=2.0),
    _honest("no requests", Lane.send_users_away),
    _honest("bursts", later={7.0: lambda lane: lane.burst(40.0, 4.0), 24.0: lambda lane: lane.burst(40.0, 3.0)}),
)
