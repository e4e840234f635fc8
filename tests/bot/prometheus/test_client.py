"""The client against servers that misbehave; tests/traffic asks a real Prometheus."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from bot.domain.errors import MetricsError
from bot.domain.evidence import EvidenceRules
from bot.engine.metrics_port import Series, Span
from bot.prometheus.client import PrometheusClient, client_of

SPAN = Span(start=0, end=30, step=15)
NO_NUMBERS = (
    "Prometheus answered with something other than numbers: is `evidence.prometheus` its address up to `/api/v1`?"
)
Act = Callable[[BaseHTTPRequestHandler], None]


def says(status: int, body: object, **headers: str) -> Act:
    """Return a server's answer."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()

    def act(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        request.wfile.write(data)

    return act


def drips(request: BaseHTTPRequestHandler) -> None:
    """Send a byte now and then, for ever, so that no single read is slow."""
    request.send_response(200)
    request.end_headers()
    while True:
        request.wfile.write(b" ")
        time.sleep(0.02)


def drips_its_head(request: BaseHTTPRequestHandler) -> None:
    """Send a header byte by byte, for ever."""
    request.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while True:
        request.wfile.write(b"x")
        time.sleep(0.02)


def stalls(request: BaseHTTPRequestHandler) -> None:
    """Send a head, and then nothing."""
    request.send_response(200)
    request.end_headers()
    request.wfile.flush()
    time.sleep(1)


@contextmanager
def server(act: Act) -> Iterator[tuple[str, list[tuple[str, dict[str, list[str]], Message]]]]:
    """Run a server; yields its address, and what it was asked: path, fields and headers."""
    asked: list[tuple[str, dict[str, list[str]], Message]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            asked.append((self.path, parse_qs(body), self.headers))
            try:
                act(self)
            except OSError:
                return

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    running.daemon_threads = True
    thread = threading.Thread(target=running.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{running.server_port}", asked
    finally:
        running.shutdown()
        thread.join()
        running.server_close()


def answer(kind: str, *series: object) -> object:
    return {"status": "success", "data": {"resultType": kind, "result": list(series)}}


def test_a_range_comes_with_its_labels_and_apart_from_what_is_no_number() -> None:
    found = answer("matrix", {"metric": {"pod": "a"}, "values": [[0, "1"], [15, "NaN"], [30, "+Inf"]]})
    with server(says(200, found)) as (url, asked):
        assert PrometheusClient(url).over("up", SPAN) == [Series({"pod": "a"}, {0.0: 1.0}, frozenset({15.0, 30.0}))]
    ((path, fields, headers),) = asked
    assert (path, headers["Authorization"]) == ("/api/v1/query_range", None)
    assert fields == {
        "query": ["up"],
        "start": ["0"],
        "end": ["30"],
        "step": ["15"],
        "timeout": ["5s"],
        "partial_response": ["false"],
    }


def test_one_time_comes_as_series_with_one_value() -> None:
    with server(says(200, answer("vector", {"metric": {}, "value": [7, "2.5"]}))) as (url, asked):
        assert PrometheusClient(f"{url}/prom/").now("up", 7) == [Series({}, {7.0: 2.5})]
    assert asked[0][0] == "/prom/api/v1/query"


def test_the_token_is_read_anew_for_each_query(tmp_path: Path) -> None:
    token = tmp_path / "token"
    with server(says(200, answer("matrix"))) as (url, asked):
        client = PrometheusClient(url, token_file=str(token))
        for text in ("one\n", "two\n"):
            token.write_text(text)
            client.over("up", SPAN)
    assert [headers["Authorization"] for _, _, headers in asked] == ["Bearer one", "Bearer two"]


@pytest.mark.parametrize(("tenant", "headers"), [("", []), ("models", ["models"])])
def test_a_mimir_is_told_whose_numbers_are_meant(tenant: str, headers: list[str]) -> None:
    with server(says(200, answer("matrix"))) as (url, asked):
        client_of(EvidenceRules(prometheus=url, tenant=tenant)).over("up", SPAN)
    assert asked[0][2].get_all("X-Scope-OrgID", []) == headers


@pytest.mark.parametrize(
    ("act", "sentence"),
    [
        (says(400, {"status": "error", "error": "parse error: x"}), "Prometheus refused the query: parse error: x"),
        (says(401, b"no"), "Prometheus refused us (401); see `token_file` and `tenant` of `evidence` in the policy."),
        (says(503, b"starting"), "Prometheus, or a proxy before it, answered with status 503: its log says why."),
        (says(502, b"{}"), "Prometheus, or a proxy before it, answered with status 502: its log says why."),
        (says(500, {"status": "error", "error": "out of memory"}), "Prometheus refused the query: out of memory"),
        (
            says(503, {"status": "error", "errorType": "timeout", "error": "query timed out in query execution"}),
            "Prometheus refused the query: query timed out in query execution",
        ),
        (
            says(302, b"", Location="http://127.0.0.1:1/"),
            "Prometheus answered with status 302: is `evidence.prometheus` its address up to `/api/v1`?",
        ),
        (says(200, b"<html>"), NO_NUMBERS),
        (says(200, {"status": "success", "data": {"result": 3}}), NO_NUMBERS),
    ],
    ids=["bad query", "no right", "not ready", "proxy", "broken", "overloaded", "elsewhere", "no JSON", "no series"],
)
def test_what_goes_wrong_is_one_sentence(act: Act, sentence: str) -> None:
    with server(act) as (url, _), pytest.raises(MetricsError) as refused:
        PrometheusClient(url).over("up", SPAN)
    assert str(refused.value) == sentence


@pytest.mark.parametrize(
    "act",
    [drips, drips_its_head, stalls, lambda request: time.sleep(1)],
    ids=["byte by byte", "byte by byte in its head", "stalls after its head", "silent"],
)
def test_an_answer_that_is_late_is_given_up(act: Act) -> None:
    with (
        server(act) as (url, _),
        pytest.raises(MetricsError, match=r"^Prometheus did not answer within 0\.3 seconds\.$"),
    ):
        PrometheusClient(url, answers_within=0.3).over("up", SPAN)


def test_one_that_does_not_answer_is_not_asked_again_at_once() -> None:
    with server(lambda request: time.sleep(3)) as (url, asked):
        client = PrometheusClient(url, answers_within=1)
        for _ in range(4):
            with pytest.raises(MetricsError, match=r"^Prometheus did not answer within 1 seconds\.$"):
                client.over("up", SPAN)
    assert len(asked) == 2


def test_one_query_that_is_too_much_does_not_keep_the_others() -> None:
    def is_slow_for_one(request: BaseHTTPRequestHandler) -> None:
        if len(asked) % 2:
            time.sleep(4)
        says(200, answer("matrix"))(request)

    with server(is_slow_for_one) as (url, asked):
        client = PrometheusClient(url, answers_within=2)
        for _ in range(2):
            with pytest.raises(MetricsError, match=r"^Prometheus did not answer within 2 seconds\.$"):
                client.over("slow", SPAN)
            assert client.over("up", SPAN) == []


def test_queries_that_are_late_side_by_side_count_once() -> None:
    with server(lambda request: time.sleep(5)) as (url, asked), ThreadPoolExecutor(4) as threads:
        client = PrometheusClient(url, answers_within=2)

        def is_late() -> bool:
            with pytest.raises(MetricsError):
                client.over("up", SPAN)
            return True

        assert [each.result() for each in [threads.submit(is_late) for _ in range(4)]] == [True] * 4
        assert is_late()
    assert len(asked) == 5


def test_nobody_there_is_one_sentence() -> None:
    with pytest.raises(MetricsError, match=r"^Prometheus cannot be reached at `evidence\.prometheus`\.$"):
        PrometheusClient("http://127.0.0.1:1").over("up", SPAN)


def test_an_authority_that_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    client = PrometheusClient("https://127.0.0.1:1", ca_file=str(tmp_path / "none"))
    with pytest.raises(MetricsError, match=r"^The file `evidence.ca_file` of the policy cannot be read\.$"):
        client.over("up", SPAN)


def test_a_token_file_that_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    client = PrometheusClient("http://127.0.0.1:1", token_file=str(tmp_path / "none"))
    with pytest.raises(MetricsError, match=r"^The file `evidence.token_file` of the policy cannot be read\.$"):
        client.over("up", SPAN)


@pytest.mark.parametrize("token", ["", "two words", "a\nb", "schlüssel"])
def test_a_token_file_with_no_token_in_it_is_one_sentence(tmp_path: Path, token: str) -> None:
    file = tmp_path / "token"
    file.write_text(token)
    sentence = r"^The file `evidence.token_file` of the policy has to hold a bare token, and nothing else\.$"
    with pytest.raises(MetricsError, match=sentence):
        PrometheusClient("http://127.0.0.1:1", token_file=str(file)).over("up", SPAN)


def test_an_answer_without_end_is_given_up() -> None:
    def floods(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        while True:
            request.wfile.write(b" " * 1_000_000)

    with server(floods) as (url, _), pytest.raises(MetricsError, match=r"^Prometheus answered with too much\.$"):
        PrometheusClient(url).over("up", SPAN)
