"""The gates over the past, on numbers that a test makes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from bot.domain.evidence import EvidenceRules
from bot.domain.gate import GateAnswer
from bot.domain.rollout import Pool
from bot.engine.metrics_port import Series, Span
from bot.engine.route_port import PoolMembers
from bot.gates import capacity, errors, latency, saturation, split
from bot.gates.backtest import IDLE, Backtest
from bot.gates.numbers.reading import times_of
from tests.builders import NOON, STABLE

POOL = Pool("default", STABLE)
ONE, OTHER = PoolMembers(pool=POOL, pods=("a",)), PoolMembers(pool=POOL, pods=("b",))
GATES = [(each.GATE, each.GATE.keys()) for each in (errors, latency, saturation, split, capacity)]
HOUR = timedelta(hours=1)
Told = Callable[[str, float], tuple[float, float]]


def at_one_a_second(pod: str, time: float) -> tuple[float, float]:
    """Return how many good answers a pod has given until a time, and how many bad ones."""
    return time, 0.0


@dataclass
class Past:
    """A metrics server that remembers two servers."""

    answered: Told = at_one_a_second
    asked: list[tuple[str, Span]] = field(default_factory=list)

    def over(self, promql: str, span: Span) -> Sequence[Series]:
        self.asked.append((promql, span))
        return [series for pod in ("a", "b") for series in self._pod(pod, times_of(span))]

    def _pod(self, pod: str, times: Sequence[float]) -> Sequence[Series]:
        labels = {"pod": pod, "job": "servers"}
        asks = {"handler": "/v1/completions", "method": "POST", "__name__": "http_requests_total"}
        good, bad = ({time: self.answered(pod, time)[at] for time in times} for at in (0, 1))
        names = ("vllm:time_to_first_token_seconds_bucket", "vllm:e2e_request_latency_seconds_bucket")
        return [
            Series({"__name__": "vllm:num_requests_running", **labels}, dict.fromkeys(times, 1.0)),
            Series({**labels, **asks, "status": "2xx"}, good),
            Series({**labels, **asks, "status": "5xx"}, bad),
            *(Series({**labels, "__name__": name, "le": le}, good) for name in names for le in ("0.1", "+Inf")),
            Series(labels, {time: time - 1 for time in times}),
        ]


def backtest(past: Past, **rules: int) -> Backtest:
    return Backtest(past, EvidenceRules(prometheus="http://prometheus", **rules), GATES)  # type: ignore[arg-type]


def test_an_hour_is_asked_for_at_once_and_cut_into_windows_that_overlap_by_half() -> None:
    past = Past()
    windows = backtest(past).judge(ONE, OTHER, NOON - HOUR, NOON)
    assert len(windows) == 13
    assert [span for _, span in past.asked] == [
        Span(start=(NOON - HOUR).timestamp() - 600, end=NOON.timestamp(), step=30)
    ]
    assert 'pod=~"b|a"' in past.asked[0][0]


def test_two_equal_halves_pass_every_gate_that_judges_numbers_alone() -> None:
    windows = backtest(Past()).judge(ONE, OTHER, NOON - HOUR, NOON)
    assert {tuple(window.findings) for window in windows} == {("errors", "latency", "saturation")}
    assert {each.answer for window in windows for each in window.findings.values()} == {GateAnswer.PASS}


def test_a_half_that_fails_for_a_while_fails_in_those_windows() -> None:
    begin = NOON.timestamp() - 1800

    def fails(pod: str, time: float) -> tuple[float, float]:
        return time, max(0.0, time - begin) if pod == "a" else 0.0

    answers = [each.findings["errors"].answer for each in backtest(Past(fails)).judge(ONE, OTHER, NOON - HOUR, NOON)]
    assert (answers[0], answers[-1]) == (GateAnswer.PASS, GateAnswer.FAIL)


@pytest.mark.parametrize(("told", "lack"), [(lambda pod, time: (0.0, 0.0), IDLE), (lambda pod, time: (5.0, 0.0), IDLE)])
def test_where_nobody_asked_nothing_is_said(told: Told, lack: str) -> None:
    assert {each.lack for each in backtest(Past(told)).judge(ONE, OTHER, NOON - HOUR, NOON)} == {lack}


def test_too_few_requests_are_said() -> None:
    windows = backtest(Past(lambda pod, time: (time // 60, 0.0))).judge(ONE, OTHER, NOON - HOUR, NOON)
    assert {window.is_thin for window in windows} == {True}
