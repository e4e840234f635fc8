"""A stand-in for Prometheus, for faults that a real one cannot be made to have: slow, away, empty, wrong.

While it is well, every pod that a query names has served ten requests a second, all good and equally fast, for ever.
"""

import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qs

RATE: Final = 10.0
_PODS: Final = re.compile(r'pod=~"([^"]+)"')
HISTOGRAMS: Final = (
    "vllm:time_to_first_token_seconds",
    "vllm:inter_token_latency_seconds",
    "vllm:e2e_request_latency_seconds",
)
BOUNDS: Final = {"0.05": 0.2, "0.1": 0.6, "0.5": 0.95, "1.0": 1.0, "+Inf": 1.0}
Point = tuple[float, str]


class Mood(StrEnum):
    """How it is."""

    WELL = "well"
    SLOW = "slow"  # it takes queries, and does not answer
    AWAY = "away"  # it hangs up
    EMPTY = "empty"  # it knows nothing
    HALF = "half"  # it knows one pool only
    BROKEN = "broken"  # 500
    BABBLES = "babbles"  # something other than its API
    NANS = "nans"  # every value is no number
    ENDLESS = "endless"  # an answer without end
    ELSEWHERE = "elsewhere"  # it sends people on


@dataclass
class FakePrometheus:
    """How it is, and how many queries it was asked."""

    url: str = ""
    mood: Mood = Mood.WELL
    asked: int = 0
    lifted: threading.Event = field(default_factory=threading.Event)


@contextmanager
def fake_prometheus() -> Iterator[FakePrometheus]:
    """Listen on a free port of the loopback."""
    fake = FakePrometheus()

    class Answers(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            _answer(self, fake)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    server.daemon_threads = True
    fake.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, name="fake prometheus", daemon=True)
    thread.start()
    try:
        yield fake
    finally:
        fake.lifted.set()
        server.shutdown()
        server.server_close()


def _answer(request: BaseHTTPRequestHandler, fake: FakePrometheus) -> None:
    fake.asked += 1
    body = request.rfile.read(int(request.headers["Content-Length"]))
    words = {key: values[0] for key, values in parse_qs(body.decode()).items()}
    match fake.mood:
        case Mood.SLOW:
            fake.lifted.wait(60)
            request.close_connection = True
        case Mood.AWAY:
            request.close_connection = True
        case Mood.BROKEN:
            _send(request, b"no", status=500)
        case Mood.BABBLES:
            _send(request, b"<html>Sign in to go on</html>")
        case Mood.ELSEWHERE:
            _send(request, b"", status=302, headers={"Location": "http://127.0.0.1:1/"})
        case Mood.ENDLESS:
            _send(request, b" " * (17 * 1024 * 1024))
        case mood:
            _send(request, json.dumps({"status": "success", "data": {"result": result_of(words, mood)}}).encode())


def _send(
    request: BaseHTTPRequestHandler, body: bytes, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> None:
    request.send_response(status)
    for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
        request.send_header(name, value)
    request.end_headers()
    request.wfile.write(body)


def result_of(words: Mapping[str, str], mood: Mood) -> list[dict[str, Any]]:
    """Return the series that answer a range query; an empty one answers every query."""
    if mood is Mood.EMPTY:
        return []
    found = _PODS.search(words["query"])
    pods = found[1].replace("[.]", ".").split("|") if found else []
    start, end, step = (float(words[key]) for key in ("start", "end", "step"))
    times = [start + step * number for number in range(int((end - start) / step) + 1)]
    known = pods[: len(pods) // 2] if mood is Mood.HALF else pods
    return [series for pod in known for series in _of_pod(pod, times, _counts(mood))]


def _counts(mood: Mood) -> Callable[[float], str]:
    if mood is Mood.NANS:
        return lambda time: "NaN"
    return lambda time: str(RATE * time)


def _of_pod(pod: str, times: list[float], count: Callable[[float], str]) -> Iterator[dict[str, Any]]:
    target = {"pod": pod, "job": "servers", "instance": pod}
    asks = {"handler": "/v1/completions", "method": "POST", "status": "2xx"}
    grows = [(time, count(time)) for time in times]
    yield _series({"__name__": "http_requests_total", **target, **asks}, grows)
    yield _series({"__name__": "vllm:num_requests_running", **target}, [(time, "2") for time in times])
    yield _series({"__name__": "vllm:num_requests_waiting", **target}, [(time, "0") for time in times])
    yield _series({"__name__": "vllm:kv_cache_usage_perc", **target}, [(time, "0.005") for time in times])
    yield _series(target, [(time, str(time - 1)) for time in times])
    for name in HISTOGRAMS:
        for bound, share in BOUNDS.items():
            part = [(time, value if value == "NaN" else str(share * float(value))) for time, value in grows]
            yield _series({"__name__": f"{name}_bucket", **target, "le": bound}, part)


def _series(labels: Mapping[str, str], points: list[Point]) -> dict[str, Any]:
    return {"metric": dict(labels), "values": points}
