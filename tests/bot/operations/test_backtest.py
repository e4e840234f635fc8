"""`backtest` step by step: which pool, how much of the past, and what it says at the end."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, cast

import pytest

from bot.domain.commands.tokens import words
from bot.domain.decisions.moves import Moment
from bot.domain.decisions.of_operations import begin
from bot.domain.errors import MetricsError, UsageError, UserError
from bot.domain.gate import Finding, GateAnswer
from bot.domain.operation import NewOperation, Operation
from bot.engine.lookup import Lookup
from bot.engine.past_port import PastWindow
from bot.engine.route_port import PoolMembers
from bot.operations.backtest import BacktestGates
from bot.operations.executor import Asked, Done, Next, Tools
from tests.builders import ALICE, CANARY, STABLE
from tests.stage import Stage

CHANNEL = "C0INFER001"
GOOD = PastWindow(findings={"errors": Finding(gate="errors", answer=GateAnswer.PASS)})


@dataclass
class Past:
    """Gates that found the same in every window, and what they were asked."""

    windows: Sequence[PastWindow] = (GOOD, GOOD)
    window: timedelta = timedelta(minutes=10)
    longest: timedelta = timedelta(days=1)
    """Prometheus gives no answer about more."""
    asked: list[tuple[tuple[str, ...], tuple[str, ...], datetime, datetime]] = field(default_factory=list)

    def judge(self, canary: PoolMembers, stable: PoolMembers, start: datetime, end: datetime) -> Sequence[PastWindow]:
        if end - start > self.longest:
            raise MetricsError("Prometheus answered with too much.")
        self.asked.append((canary.pods, stable.pods, start, end))
        return self.windows


def tools(stage: Stage, past: Past | None) -> Tools:
    nothing = cast(Any, None)
    return Tools(
        routes=stage.cluster,
        rollouts=Lookup(stage.store, stage.clock),
        trials=nothing,
        removals=nothing,
        deployments=nothing,
        way_back=nothing,
        clock=stage.clock,
        policy=stage.policy,
        goes_on=lambda: True,
        past=past,
    )


def begun(stage: Stage, past: Past | None, line: str = STABLE) -> Operation:
    asked = BacktestGates().read(words(line))
    new = NewOperation(kind="backtest", subject=asked.subject, by=ALICE, channel=CHANNEL, parameters=asked.parameters)
    first = BacktestGates().begin(new, tools(stage, past))
    moment = Moment(now=stage.clock.now(), decision="d", by=ALICE)
    within = BacktestGates().within
    named = replace(new, subject=first.subject)
    return begin(named, moment, operation_id="o-0a1b2c3d", state=first.state, within=within, slot=first.slot).after


def ended(stage: Stage, past: Past, line: str = STABLE) -> list[str]:
    """Take every step, and return what was said."""
    operation, said = begun(stage, past, line), list[str]()
    for _ in range(40):
        step = BacktestGates().step(operation, tools(stage, past))
        assert isinstance(step, Next | Done)
        said += [step.said] if step.said else []
        if isinstance(step, Done):
            return said
        operation = replace(operation, state=step.state)
    raise AssertionError(said)


@pytest.mark.parametrize(
    ("line", "asked"),
    [
        ("", Asked(subject="")),
        ("24h", Asked(subject="", parameters={"past": "24h"})),
        ("7d chat", Asked(subject="chat", parameters={"past": "7d"})),
        ("chat 90m reason=why", Asked(subject="chat", parameters={"past": "90m", "reason": "why"})),
        ("70b", Asked(subject="70b")),
        ("24h pool=24h", Asked(subject="24h", parameters={"past": "24h"})),
        ("pool=chat past=90m", Asked(subject="chat", parameters={"past": "90m"})),
    ],
)
def test_a_time_and_a_pool_are_read_in_any_order(line: str, asked: Asked) -> None:
    assert BacktestGates().read(words(line)) == asked


@pytest.mark.parametrize("line", ["30", "1h 2h", "1h past=2h", "chat other", "chat pool=other", "a b c"])
def test_other_words_are_refused(line: str) -> None:
    with pytest.raises(UsageError):
        BacktestGates().read(words(line))


def test_the_servers_are_cut_in_two_and_the_past_is_asked_for_hour_by_hour(stage: Stage) -> None:
    past, now = Past(), stage.clock.now()
    said = ended(stage, past, f"150m {STABLE}")
    hour = timedelta(hours=1)
    starts = [now - 2.5 * hour, now - 1.5 * hour, now - 0.5 * hour]
    assert [(start, end) for _, _, start, end in past.asked] == [(start, min(start + hour, now)) for start in starts]
    first, second, *_ = past.asked[0]
    pods = {str(pod["metadata"]["name"]) for pod in stage.world.servers(STABLE)}
    assert (len(first), {*first, *second}) == (len(pods) - len(pods) // 2, pods)
    assert said == [
        "`errors`: 6 of 6 windows passed, 0 held, 0 failed.",
        f"6 windows of the last 150m of `{STABLE}`, one half of its servers against the other: 0 false stops, "
        "0 false holds.",
    ]


def test_a_window_counts_once_however_many_gates_fail_in_it(stage: Stage) -> None:
    def window(errors: GateAnswer, latency: GateAnswer) -> PastWindow:
        found = {name: Finding(gate=name, answer=each) for name, each in (("errors", errors), ("latency", latency))}
        return PastWindow(findings=found)

    ok, hold, fail = GateAnswer.PASS, GateAnswer.HOLD, GateAnswer.FAIL
    windows = [window(fail, ok), window(ok, fail), window(fail, hold), window(hold, hold), window(ok, ok)]
    said = ended(stage, Past(windows), f"1h {STABLE}")
    assert said[-1].endswith(
        "3 false stops, 1 false hold. If that is too often, raise the keys of those gates in the policy."
    )


def test_what_is_too_much_at_once_is_asked_for_in_parts(stage: Stage) -> None:
    past = Past(longest=timedelta(minutes=20))
    assert ended(stage, past, f"1h {STABLE}")[-1].startswith("8 windows of the last 1h")
    assert [end - start for _, _, start, end in past.asked] == [timedelta(minutes=15)] * 4
    operation = begun(stage, Past(longest=timedelta(minutes=5)), f"10m {STABLE}")
    with pytest.raises(MetricsError):
        BacktestGates().step(operation, tools(stage, Past(longest=timedelta(minutes=5))))


def test_in_a_rollouts_channel_the_old_pool_is_meant(stage: Stage) -> None:
    stage.started(10)
    assert begun(stage, Past(), "").subject == STABLE


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("nobody", "There is no InferencePool `nobody` in "),
        (f"5m {STABLE}", "A backtest looks at 10m to 7d of the past."),
        (f"1w {CANARY}", "`past=1w` is not a duration."),
        (f"1d12h {CANARY}", "`past=1d12h` is not a duration."),
        (f"8d {CANARY}", "A backtest looks at 10m to 7d of the past."),
    ],
)
def test_what_cannot_be_looked_at_is_said(stage: Stage, line: str, said: str) -> None:
    with pytest.raises(UserError) as refused:
        begun(stage, Past(), line)
    assert str(refused.value).startswith(said)


def test_without_a_prometheus_there_is_no_past(stage: Stage) -> None:
    with pytest.raises(UserError, match=r"^The policy names no Prometheus, so there is no past to look at\. Set"):
        begun(stage, None)
