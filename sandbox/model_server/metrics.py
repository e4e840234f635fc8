"""The metrics of a model server, under the names that vLLM, an older vLLM or SGLang give them."""

import time
from collections import Counter as Tally
from collections.abc import Callable, Iterable, Sequence
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
    asked: str
    adapters: str
    requests: str
    is_vllm: bool = True

    def labels(self, model: str) -> dict[str, str]:
        """Return the labels of every series: those of adapters too have the name of the base model."""
        return {"model_name": model, "engine": "0"} if self.is_vllm else {"model_name": model}


VLLM: Final = Names(
    running="vllm:num_requests_running",
    waiting="vllm:num_requests_waiting",
    cache="vllm:kv_cache_usage_perc",
    first_token="vllm:time_to_first_token_seconds",
    token="vllm:inter_token_latency_seconds",
    whole="vllm:e2e_request_latency_seconds",
    finished="vllm:request_success",
    generated="vllm:generation_tokens",
    asked="vllm:prompt_tokens",
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
            asked="sglang:prompt_tokens",
            adapters="",
            requests="",
            is_vllm=False,
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
        labels = names.labels(model)
        # With the labels they begin at 0: a server that nobody has asked yet has no answers, and not no data.
        self._first_token = self._histogram(names.first_token, _FIRST_TOKEN).labels(**labels)
        self._token = self._histogram(names.token, _TOKEN).labels(**labels)
        self._whole = self._histogram(names.whole, _WHOLE).labels(**labels)
        reason = {"finished_reason": "length"} if names.is_vllm else {}
        self._finished = Counter(names.finished, "_", [*labels, *reason], registry=self._registry).labels(
            **labels, **reason
        )
        self._generated = Counter(names.generated, "_", [*labels], registry=self._registry).labels(**labels)
        self._asked = Counter(names.asked, "_", [*labels], registry=self._registry).labels(**labels)
        self._requests = (
            Counter(names.requests, "_", ["handler", "method", "status"], registry=self._registry)
            if names.requests
            else None
        )
        self._registry.register(_Gauges(self))

    def first_token(self, seconds: float, prompt_tokens: int) -> None:
        """Count a first token, and the tokens of its prompt."""
        self._first_token.observe(seconds)
        self._asked.inc(prompt_tokens)

    def finished(self, *, seconds: float, tokens: int, each: float) -> None:
        """Count a whole answer of ``tokens`` tokens, which took ``seconds``, and ``each`` from one to the next."""
        self._whole.observe(seconds)
        self._token.observe(each)
        self._finished.inc()
        self._generated.inc(tokens)

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
            labels = names.labels(self._model)
            gauge = GaugeMetricFamily(name, "_", labels=[*labels])
            gauge.add_metric([*labels.values()], value)
            yield gauge
        if names.adapters:
            yield self._adapters_now()

    def _histogram(self, name: str, buckets: Sequence[float]) -> Histogram:
        return Histogram(name, "_", [*self._names.labels(self._model)], buckets=buckets, registry=self._registry)

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
