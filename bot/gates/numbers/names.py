"""What model servers and endpoint pickers call what they count: vLLM old and new, SGLang, both families of pickers."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Count(StrEnum):
    """Something that only grows."""

    GOOD = "good"  # answers over HTTP by their status
    TURNED_AWAY = "turned away"  # 4xx
    BROKEN = "broken"  # 5xx
    PICKED = "picked"  # requests for which the picker chose a model server
    UNPICKED = "unpicked"  # requests that the picker itself refused
    PREEMPTED = "preempted"
    PROMPT_TOKENS = "prompt tokens"
    LOOKED_UP = "looked up"  # tokens of prompts that were looked for in the prefix cache
    CACHED = "cached"  # those of them that were there
    TOKENS = "tokens"  # generated ones


class Time(StrEnum):
    """How long something takes, as a histogram in seconds."""

    FIRST_TOKEN = "first token"
    PER_TOKEN = "each token"
    WHOLE = "whole answer"


class Level(StrEnum):
    """What is so at one moment."""

    RUNNING = "running"
    WAITING = "waiting"
    CACHE = "cache"  # share of the KV cache in use, from 0 to 1


Meaning = Count | Time | Level

REPLICA: Final = ("prometheus", "prometheus_replica", "replica", "__replica__")
"""Labels that say which of several Prometheus has scraped a series."""

REQUESTS: Final = ("http_requests_total", "sglang:http_responses_total", "sglang_http_responses_total")
"""Count answers over HTTP: vLLM by handler, method and status; SGLang since December 2025 by endpoint, method and
status code.
"""

_BOTH: Final[Mapping[str, Meaning]] = {
    "time_to_first_token_seconds_bucket": Time.FIRST_TOKEN,
    "inter_token_latency_seconds_bucket": Time.PER_TOKEN,
    "time_per_output_token_seconds_bucket": Time.PER_TOKEN,  # before vLLM 0.11, and beside the other one for a while
    "e2e_request_latency_seconds_bucket": Time.WHOLE,
    "prompt_tokens_total": Count.PROMPT_TOKENS,
    "generation_tokens_total": Count.TOKENS,
}
_VLLM: Final[Mapping[str, Meaning]] = {
    "num_requests_running": Level.RUNNING,
    "num_requests_waiting": Level.WAITING,
    "kv_cache_usage_perc": Level.CACHE,
    "gpu_cache_usage_perc": Level.CACHE,  # before vLLM 0.10
    "num_preemptions_total": Count.PREEMPTED,
    "prefix_cache_queries_total": Count.LOOKED_UP,
    "prefix_cache_hits_total": Count.CACHED,
    **_BOTH,
}
_SGLANG: Final[Mapping[str, Meaning]] = {
    "num_running_reqs": Level.RUNNING,
    "num_queue_reqs": Level.WAITING,
    "token_usage": Level.CACHE,
    **_BOTH,
}

SERVERS: Final[Mapping[str, Meaning]] = MappingProxyType(
    {
        f"{engine}{sign}{name}": meaning
        for engine, names in (("vllm", _VLLM), ("sglang", _SGLANG))
        for sign in ":_"
        for name, meaning in names.items()
    }
)
"""By the whole name. The engine's name ends with a colon, or with an underscore where a scraper writes it so."""

PICKERS: Final[Mapping[str, Meaning]] = MappingProxyType(
    {
        "inference_objective_request_total": Count.PICKED,
        "inference_model_request_total": Count.PICKED,  # of v1.0
        "llm_d_epp_request_total": Count.PICKED,
        "inference_objective_request_error_total": Count.UNPICKED,
        "inference_model_request_error_total": Count.UNPICKED,
        "llm_d_epp_request_error_total": Count.UNPICKED,
    }
)
"""By the whole name. Some pickers show what they count under two names."""

PREFERRED: Final = (
    "inter_token_latency_seconds_bucket",
    "kv_cache_usage_perc",
    "llm_d_epp_request_total",
    "llm_d_epp_request_error_total",
    "inference_objective_request_total",
    "inference_objective_request_error_total",
)
"""Where one program shows the same under two names, the first of these counts."""
