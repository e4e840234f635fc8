"""What the model servers of a pool do right now: requests that run or wait, by vLLM's or SGLang's own metrics."""

import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import product
from typing import Final

from kubernetes.client import ApiClient

from bot.domain.removal import Load
from k8s import pod_request
from k8s.document import Document

PATH: Final = "/metrics"
LONGEST_ANSWER: Final = 4 * 1024 * 1024

RUNNING: Final = ("vllm:num_requests_running", "sglang:num_running_reqs")
WAITING: Final = ("vllm:num_requests_waiting", "sglang:num_queue_reqs")
FINISHED: Final = ("vllm:request_success_total", "sglang:num_requests_total")
"""Prometheus leaves the end ``_total`` out in its own names of counters, but never in what a server shows."""

_SAMPLE: Final = re.compile(r"^([a-z_]+:[a-z_]+)(?:\{.*\})?\s+([0-9.eE+-]+)\s*(?:[0-9-]+)?$", re.MULTILINE)
_beside: Final = ThreadPoolExecutor(16, "load")


def load_of(api: ApiClient, pool: Document, pods: Sequence[Document]) -> Load:
    """Ask every pod of a pool that may still serve, ready or not, also those that are leaving."""
    serving = [pod for pod in pods if pod.get("status", {}).get("phase") in ("Running", "Unknown")]
    ports = [int(port["number"]) for port in pool["spec"].get("targetPorts") or ()]
    asked = list(product(serving, ports))
    found = list(_beside.map(partial(_ask, api), asked))
    silent = [pod["metadata"]["name"] for (pod, _), load in zip(asked, found, strict=True) if load is None]
    if silent:
        return Load(unknown=f"pod `{silent[0]}` does not show how many requests it has at `{PATH}`")
    return _sum([each for each in found if each is not None])


def _ask(api: ApiClient, asked: tuple[Document, int]) -> Load | None:
    pod, port = asked
    return pod_request.ask(api, pod, port, PATH, LONGEST_ANSWER, read_load)


def read_load(body: bytes) -> Load:
    """Read what one server shows. Raises ValueError if it does not show how many requests run and wait."""
    if len(body) > LONGEST_ANSWER:
        raise ValueError("a long answer")
    samples = [(name, float(value)) for name, value in _SAMPLE.findall(body.decode(errors="replace"))]
    running, waiting, finished = (list(_of(names, samples)) for names in (RUNNING, WAITING, FINISHED))
    if not running or not waiting:
        raise ValueError("no metrics of vLLM or SGLang")
    return Load(requests=round(sum(running) + sum(waiting)), finished=round(sum(finished)) if finished else None)


def _of(names: Sequence[str], samples: Sequence[tuple[str, float]]) -> Iterator[float]:
    return (value for name, value in samples if name in names)


def _sum(loads: Sequence[Load]) -> Load:
    finished = [each.finished for each in loads if each.finished is not None]
    return Load(
        requests=sum(each.requests for each in loads), finished=sum(finished) if len(finished) == len(loads) else None
    )
