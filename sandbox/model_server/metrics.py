"""The metrics of a model server, under the names that vLLM, an older vLLM or SGLang give them."""

import time
from collections import Counter as Tally
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric

from sandbox.model_server.slots import Slots

_FIRST_TOKEN = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80)
_TOKEN = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5)
_WHOLE = (0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240)


@dataclass(frozen=True)
class Names:
    """What one framework calls its metrics; counters without ``_total``. An empty name is left out."""

    running: str
    waiting: str
    cache: str
    first_token: str
    token: str
    whole: str
    finished: str
    generated: str
    adapters: str
    requests: str


VLLM: Final = Names(
    running="vllm:num_requests_running",
    waiting="vllm:num_requests_waiting",
    cache="vllm:kv_cache_usage_perc",
    first_token="vllm:time_to_first_token_seconds",
    token="vllm:inter_token_latency_seconds",
    whole="vllm:e2e_request_latency_seconds",
    finished="vllm:request_success",
    generated="vllm:generation_tokens",
    adapters="vllm:lora_requests_info",
    requests="http_requests",
)
FRAMEWORKS: Final = MappingProxyType(
    {
        "vllm": VLLM,
        "vllm-old": replace(VLLM, cache="vllm:gpu_cache_usage_perc", token="vllm:time_per_output_token_seconds"),
        "sglang": Names(
            running="sglang:num_running_reqs",
            waiting="sglang:num_queue_reqs",
            cache="sglang:token_usage",
            first_token="sglang:time_to_first_token_seconds",
            token="sglang:inter_token_latency_seconds",
            whole="sglang:e2e_request_latency_seconds",
            finished="sglang:num_requests",
            generated="sglang:generation_tokens",
            adapters="",
            requests="",
        ),
    }
)
"""By name: vLLM from 0.11, vLLM before that, and SGLang."""


class Metrics:
    """Counts what a model server does; ``text`` is what it answers to a scrape."""

    def __init__(self, names: Names, model: str, slots: Slots, size: Callable[[], int]) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.adapters: Tally[str] = Tally()
        """How many requests run with each adapter."""
        self._names, self._model, self._slots, self._size = names, model, slots, size
        self._registry = CollectorRegistry()
        labels = ["model_name"]
        self._first_token = Histogram(names.first_token, "_", labels, buckets=_FIRST_TOKEN, registry=self._registry)
        self._token = Histogram(names.token, "_", labels, buckets=_TOKEN, registry=self._registry)
        self._whole = Histogram(names.whole, "_", labels, buckets=_WHOLE, registry=self._registry)
        self._finished = Counter(names.finished, "_", [*labels, "finished_reason"], registry=self._registry)
        self._generated = Counter(names.generated, "_", labels, registry=self._registry)
        self._requests = (
            Counter(names.requests, "_", ["handler", "method", "status"], registry=self._registry)
            if names.requests
            else None
        )
        self._registry.register(_Gauges(self))

    def first_token(self, model: str, seconds: float) -> None:
        """Count a first token."""
        self._first_token.labels(model).observe(seconds)

    def finished(self, model: str, *, seconds: float, tokens: int, each: float) -> None:
        """Count a whole answer of ``tokens`` tokens, which took ``seconds``, and ``each`` from one to the next."""
        self._whole.labels(model).observe(seconds)
        self._token.labels(model).observe(each)
        self._finished.labels(model, "length").inc()
        self._generated.labels(model).inc(tokens)

    def answered(self, handler: str, method: str, status: int) -> None:
        """Count an answer over HTTP."""
        if self._requests is not None:
            self._requests.labels(handler, method, f"{status // 100}xx").inc()

    def text(self) -> bytes:
        """Return all of it as Prometheus reads it."""
        return generate_latest(self._registry)

    def gauges(self) -> Iterable[Metric]:
        """Yield what is so now."""
        names, slots = self._names, self._slots
        share = min(1.0, slots.running / max(1, self._size()))
        for name, value in ((names.running, slots.running), (names.waiting, slots.waiting), (names.cache, share)):
            gauge = GaugeMetricFamily(name, "_", labels=["model_name"])
            gauge.add_metric([self._model], value)
            yield gauge
        if names.adapters:
            yield self._adapters_now()

    def _adapters_now(self) -> Metric:
        labels = ["max_lora", "running_lora_adapters", "waiting_lora_adapters"]
        gauge = GaugeMetricFamily(self._names.adapters, "_", labels=labels)
        running = ",".join(sorted(name for name, count in self.adapters.items() if count > 0))
        gauge.add_metric(["4", running, ""], time.time())
        return gauge


class _Gauges:
    """What the registry asks at each scrape."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics.gauges()
