"""The gates over the past: what they would have said of every window, from one query for many windows."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from math import ceil, floor

from bot.domain.evidence import EvidenceRules
from bot.engine.metrics_port import Metrics, Series, Span
from bot.engine.past_port import PastWindow
from bot.engine.route_port import PoolMembers
from bot.gates.gate import Gate, Keys
from bot.gates.numbers.query import promql, series_over
from bot.gates.numbers.window import SLICES, LackError, aligned, window_of

IDLE = "nobody sent it requests"


class Backtest:
    """See ``bot.engine.past_port.Past``: the gates that judge a window and nothing else, with the policy's keys."""

    def __init__(self, metrics: Metrics, rules: EvidenceRules, gates: Sequence[tuple[Gate, Keys]]) -> None:
        self._metrics, self._rules = metrics, rules
        self._gates = [(gate, keys) for gate, keys in gates if gate.judge is not None]

    @property
    def window(self) -> timedelta:
        """Return how long a window is."""
        return self._rules.window

    def judge(self, canary: PoolMembers, stable: PoolMembers, start: datetime, end: datetime) -> Sequence[PastWindow]:
        """Judge each window that ends after ``start`` and up to ``end``. Raises MetricsError."""
        seconds = self._rules.window.total_seconds()
        step = max(1, ceil(seconds / SLICES))
        whole = aligned(floor(start.timestamp() - seconds), floor(end.timestamp()), step)
        series = series_over(self._metrics, promql(stable, canary, labels=self._rules.labels), whole)
        length, apart = step * SLICES, step * (SLICES // 2)
        ends = range(int(whole.start + length), int(whole.end) + 1, apart)
        return [self._window(series, stable, canary, Span(start=at - length, end=at, step=step)) for at in ends]

    def _window(self, series: Sequence[Series], stable: PoolMembers, canary: PoolMembers, span: Span) -> PastWindow:
        try:
            window = window_of(series, stable, canary, span)
        except LackError as lack:
            return PastWindow(lack=str(lack))
        if not window.canary().arrived and not window.stable().arrived:
            return PastWindow(lack=IDLE)
        findings = {
            gate.name: gate.finding(gate.judge(keys, window, self._rules), keys)
            for gate, keys in self._gates
            if gate.judge is not None
        }
        return PastWindow(findings=findings, is_thin=window.canary().arrived < self._rules.requests)
