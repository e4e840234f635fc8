"""One request of a trial, at a server that answers what a test says."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.trial import Answer, Ask
from bot.operations.gateway_request import ask_gateway, body_of

GOOD = json.dumps({"choices": [{"text": "Paris"}]}).encode()
CHAT = json.dumps({"choices": [{"message": {"content": "Paris"}}]}).encode()


def http(body: bytes, *, status: str = "200 OK", length: int | None = None, **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


@contextmanager
def server(answer: bytes, *, hangs: bool = False) -> Iterator[tuple[int, list[bytes]]]:
    """Answer one request with these bytes, then close the connection, or leave it open; yield the port."""
    asked: list[bytes] = []
    done = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                asked.append(connection.recv(65536))
                connection.sendall(answer)
                if hangs:
                    done.wait(10)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listening.getsockname()[1], asked
        finally:
            done.set()
            thread.join()


def an_ask(port: int, **changes: object) -> Ask:
    ask = Ask(
        address="127.0.0.1",
        port=port,
        host="llm.example.com",
        is_tls=False,
        path="/v1/completions",
        headers={"x-team": "a"},
        body={"model": "m"},
        timeout=timedelta(seconds=0.5),
    )
    return replace(ask, **changes)  # type: ignore[arg-type]


def asked(answer: bytes, *, hangs: bool = False, **changes: object) -> Answer:
    with server(answer, hangs=hangs) as (port, _):
        return replace(ask_gateway(an_ask(port, **changes)), milliseconds=0)


@pytest.mark.parametrize(
    ("answer", "became"),
    [
        (http(GOOD), Answer(status=200, text="Paris")),
        (http(CHAT, x_inference_pod="new-1"), Answer(pod="new-1", status=200, text="Paris")),
        (http(GOOD, x_rollout_try="k"), Answer(mark="k", status=200, text="Paris")),
        (http(b"not json"), Answer(status=200)),
        (http(b'{"choices": []}'), Answer(status=200)),
        (http(b'{"choices": [{"message": {"content": null}}]}'), Answer(status=200)),
        (http(b'{"choices": [{"text": "' + b"a" * 9000 + b'"}]}'), Answer(status=200, text="a" * 2000)),
        (http(GOOD, status="503 Service Unavailable"), Answer(status=503)),
        (http(GOOD, status="302 Found", location="http://192.0.2.1/"), Answer(status=302)),
        (http(GOOD, length=1000), Answer(error="connection broke")),
        (b"", Answer(error="connection broke")),
        (b"nonsense\r\n\r\n", Answer(error="connection broke")),
    ],
)
def test_an_answer_is_what_came_back_whole(answer: bytes, became: Answer) -> None:
    assert asked(answer) == became


@pytest.mark.parametrize("answer", [b"", http(GOOD, length=1000)])
def test_it_waits_no_longer_than_it_may(answer: bytes) -> None:
    assert asked(answer, hangs=True) == Answer(error="no answer in 0.5 s")


def test_a_server_that_speaks_no_tls_is_named() -> None:
    assert asked(http(GOOD), is_tls=True).error.startswith("TLS failed, ")


def test_nobody_listening_is_named() -> None:
    assert replace(ask_gateway(an_ask(1)), milliseconds=0) == Answer(error="connection refused")


@pytest.mark.parametrize(("host", "said"), [("llm.example.com", "llm.example.com"), ("", "127.0.0.1:{port}")])
def test_it_asks_by_the_hosts_name_with_the_policys_headers(host: str, said: str) -> None:
    with server(http(GOOD)) as (port, requests):
        ask_gateway(an_ask(port, host=host))
    head = requests[0].decode().split("\r\n\r\n")[0].split("\r\n")
    assert head[0] == "POST /v1/completions HTTP/1.1"
    known = sorted(line for line in head if line.startswith(("Host: ", "x-team: ")))
    assert known == [f"Host: {said.format(port=port)}", "x-team: a"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/completions", {"model": "m", "max_tokens": 8, "temperature": 0, "prompt": "p"}),
        (
            "/v1/chat/completions",
            {"model": "m", "max_tokens": 8, "temperature": 0, "messages": [{"role": "user", "content": "p"}]},
        ),
    ],
)
def test_a_prompt_is_sent_as_the_path_wants_it(path: str, body: dict[str, object]) -> None:
    assert body_of(path, "m", "p", 8) == body
