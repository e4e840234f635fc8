"""The usual rules of two peers, asked of the same Prometheus about the same new pool.

Their thresholds for latency are set at their best: at 1.5 times what the old pool showed before the start.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import urllib3

from sandbox.dataplane.prometheus import Prometheus

SCALE = 15.0
"""All times of the run are so many times shorter than in the field: a scrape each second, and not each 15."""
MINUTE = 60.0 / SCALE
ARGO_LIMIT, FLAGGER_LIMIT = 3, 5
SUCCESS_ARGO, SUCCESS_FLAGGER = 0.95, 0.99
TIMES = 1.5


@dataclass
class Rules:
    """Counts failed checks, one each minute; ``aborts`` from so many on."""

    name: str
    check: Callable[[], bool]
    limit: int
    failed: int = 0
    next_at: float = MINUTE
    decided_at: float | None = None

    def look(self, seconds: float) -> None:
        """Check if it is time; ``seconds`` since the new pool got its weight."""
        if self.decided_at is not None or seconds < self.next_at:
            return
        self.next_at += MINUTE
        self.failed += not self.check()
        if self.failed >= self.limit:
            self.decided_at = seconds


@dataclass
class Pods:
    """What the rules ask Prometheus about some pods; None: there are no values."""

    prometheus: Prometheus
    names: list[str] = field(default_factory=list)

    def success(self, window: float) -> float | None:
        """Return the share of requests that were not answered with 5xx."""
        where = f'pod=~"{"|".join(self.names)}",handler=~"/v1/.*"'
        good = f'sum(rate(http_requests_total{{{where},status!~"5.*"}}[{window:.0f}s]))'
        return self._value(f"{good} / sum(rate(http_requests_total{{{where}}}[{window:.0f}s]))")

    def quantile(self, q: float, window: float) -> float | None:
        """Return a quantile of the time for a whole answer, in seconds."""
        series = f'vllm:e2e_request_latency_seconds_bucket{{pod=~"{"|".join(self.names)}"}}'
        return self._value(f"histogram_quantile({q}, sum by (le) (rate({series}[{window:.0f}s])))")

    def _value(self, promql: str) -> float | None:
        try:
            found = self.prometheus.query(promql)
        except urllib3.exceptions.HTTPError:
            return None
        value = float(found[0]["value"][1]) if found else math.nan
        return None if math.isnan(value) else value


def argo(pods: Pods, usual: float) -> Rules:
    """Argo Rollouts as its documentation has it: success from 95 %, p95, three failures; no values are no failure."""

    def check() -> bool:
        success, p95 = pods.success(5 * MINUTE), pods.quantile(0.95, 5 * MINUTE)
        return (success is None or success >= SUCCESS_ARGO) and (p95 is None or p95 <= usual)

    return Rules("Argo Rollouts", check, ARGO_LIMIT + 1)


def flagger(pods: Pods, usual: float) -> Rules:
    """Flagger's two built-in checks: success from 99 % and p99, over the last minute; no values are a failed check."""

    def check() -> bool:
        success, p99 = pods.success(MINUTE), pods.quantile(0.99, MINUTE)
        return success is not None and success >= SUCCESS_FLAGGER and (p99 is None or p99 <= usual)

    return Rules("Flagger", check, FLAGGER_LIMIT)
