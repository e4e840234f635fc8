"""The model server without a model: what it answers, in vLLM's and in SGLang's words."""

import json
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import urllib3

from sandbox.folders import CHECKOUT
from sandbox.model_server.api import BEHAVIOUR_PATH
from sandbox.process import Server, free_ports, wait_until

MODEL = "meta-llama/Llama-3.1-8B-Instruct"


class Served:
    """A running model server."""

    def __init__(self, server: Server, url: str) -> None:
        self.server, self.url = server, url

    def get(self, path: str) -> urllib3.BaseHTTPResponse:
        return urllib3.request("GET", self.url + path, retries=False)

    def post(self, path: str, body: Any) -> urllib3.BaseHTTPResponse:
        return urllib3.request("POST", self.url + path, json=body, retries=False)

    def complete(self, **fields: Any) -> urllib3.BaseHTTPResponse:
        return self.post("/v1/completions", {"model": MODEL, "prompt": "San Francisco", "max_tokens": 3, **fields})

    def behave(self, **change: Any) -> urllib3.BaseHTTPResponse:
        return self.post(BEHAVIOUR_PATH, change)

    def metrics(self) -> dict[str, float]:
        """Return the samples without labels by name, and the sum of those with labels."""
        found: dict[str, float] = {}
        for line in self.get("/metrics").data.decode().splitlines():
            if not line.startswith("#"):
                name, value = line.partition("{")[0].partition(" ")[0], float(line.rpartition(" ")[2])
                found[name] = found.get(name, 0.0) + value
        return found


Serve = Callable[..., Served]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Return how to start a model server with some arguments."""
    with ExitStack() as stack:

        def start(*arguments: str, pod: str = "") -> Served:
            (port,) = free_ports(1)
            command = [sys.executable, "-m", "sandbox.model_server", "--model", MODEL, "--port", str(port), *arguments]
            server = Server("model-server", command, tmp_path, {"PYTHONPATH": str(CHECKOUT), "POD_NAME": pod})
            stack.callback(server.kill)
            server.start()
            served = Served(server, f"http://127.0.0.1:{port}")
            server.wait_ready(lambda: _is_up(served))
            served.behave(first_token_ms=0, token_ms=0)
            return served

        yield start


def _is_up(served: Served) -> bool:
    try:
        return served.get("/health").status == 200
    except urllib3.exceptions.HTTPError:
        return False


def test_a_completion_in_one_piece(serve: Serve) -> None:
    answer = serve(pod="llama-0").complete()

    body = answer.json()
    assert answer.headers["x-inference-pod"] == "llama-0"
    assert (body["object"], body["model"]) == ("text_completion", MODEL)
    assert len(body["choices"][0]["text"].split()) == 3
    assert body["usage"] == {"prompt_tokens": 2, "completion_tokens": 3, "total_tokens": 5}


def test_the_same_question_has_the_same_answer(serve: Serve) -> None:
    served = serve()

    assert _text(served.complete()) == _text(served.complete())
    assert _text(served.complete()) != _text(served.complete(prompt="Los Angeles", max_tokens=9))


def test_a_chat_as_a_stream(serve: Serve) -> None:
    answer = serve().post(
        "/v1/chat/completions",
        {
            "model": MODEL,
            "messages": [{"role": "user", "content": "hello there"}],
            "max_tokens": 3,
            "stream": True,
            "stream_options": {"include_usage": True},
        },
    )

    *events, end = answer.data.decode().removesuffix("\n\n").split("\n\n")
    bodies = [json.loads(event.removeprefix("data: ")) for event in events]
    assert end == "data: [DONE]"
    assert {body["object"] for body in bodies} == {"chat.completion.chunk"}
    assert [len(body["choices"]) for body in bodies] == [1, 1, 1, 0]
    assert [body["choices"][0]["finish_reason"] for body in bodies[:3]] == [None, None, "length"]
    assert bodies[3]["usage"] == {"prompt_tokens": 2, "completion_tokens": 3, "total_tokens": 5}


def test_models_and_adapters_are_listed_loaded_and_unloaded(serve: Serve) -> None:
    served = serve("--enable-lora", "--lora-modules", "food-review=/adapters/food")
    served.post("/v1/load_lora_adapter", {"lora_name": "poems", "lora_path": "/adapters/poems"})
    served.post("/v1/unload_lora_adapter", {"lora_name": "food-review"})

    listed = served.get("/v1/models").json()["data"]

    assert [(one["id"], one["parent"]) for one in listed] == [(MODEL, None), ("poems", MODEL)]
    assert served.complete(model="poems").status == 200
    assert served.complete(model="food-review").status == 404


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ({"model": "nothing"}, 404, "The model `nothing` does not exist."),
        ({"max_tokens": "many"}, 400, "max_tokens is a number from 1 to 8192."),
        ([1], 400, "The body is not a JSON object."),
    ],
)
def test_what_it_cannot_answer_is_refused_in_vllms_form(serve: Serve, body: Any, status: int, message: str) -> None:
    answer = serve().post("/v1/completions", body)

    error = answer.json()["error"]
    assert (answer.status, error["code"], error["message"]) == (status, status, message)


@pytest.mark.parametrize(
    ("framework", "cache", "token"),
    [
        ("vllm", "vllm:kv_cache_usage_perc", "vllm:inter_token_latency_seconds_count"),
        ("vllm-old", "vllm:gpu_cache_usage_perc", "vllm:time_per_output_token_seconds_count"),
        ("sglang", "sglang:token_usage", "sglang:inter_token_latency_seconds_count"),
    ],
)
def test_the_metrics_have_the_names_of_the_framework(serve: Serve, framework: str, cache: str, token: str) -> None:
    served = serve("--framework", framework)
    served.complete()

    found = served.metrics()

    assert (found[cache], found[token]) == (0.0, 1.0)


def test_a_server_that_nobody_asked_yet_has_answered_none(serve: Serve) -> None:
    assert serve().metrics()["vllm:request_success_total"] == 0.0


def test_a_client_that_leaves_frees_its_slot_and_counts_as_no_answer(serve: Serve) -> None:
    served = serve()
    served.behave(first_token_ms=60_000)
    with socket.create_connection(("127.0.0.1", urllib3.util.parse_url(served.url).port)) as client:
        client.sendall(b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
        wait_until("it runs", lambda: served.metrics()["vllm:num_requests_running"] == 1.0)

    wait_until("its slot is free", lambda: served.metrics()["vllm:num_requests_running"] == 0.0)
    assert served.metrics()["vllm:request_success_total"] == 0.0


def test_failures_are_counted_where_vllm_counts_them(serve: Serve) -> None:
    served = serve()
    served.behave(fails=1, status=503)

    answer = served.complete()

    scraped = served.get("/metrics").data.decode()
    assert answer.status == 503
    assert 'http_requests_total{handler="/v1/completions",method="POST",status="5xx"} 1.0' in scraped


def test_more_requests_than_slots_wait(serve: Serve) -> None:
    served = serve()
    served.behave(first_token_ms=60_000, slots=1)
    for _ in range(3):
        threading.Thread(target=_ask_in_vain, args=(served,), daemon=True).start()

    def counts() -> Sequence[float]:
        found = served.metrics()
        return found["vllm:num_requests_running"], found["vllm:num_requests_waiting"]

    wait_until("one runs and two wait", lambda: counts() == (1.0, 2.0))
    served.behave(slots=3)
    wait_until("all run", lambda: counts() == (3.0, 0.0))


def test_a_stream_can_be_cut(serve: Serve) -> None:
    served = serve()
    served.behave(cuts=1)

    with pytest.raises(urllib3.exceptions.ProtocolError):
        served.complete(stream=True)


def test_one_that_is_not_healthy_says_so_and_goes_on(serve: Serve) -> None:
    served = serve()
    served.behave(healthy=False)

    assert served.get("/health").status == 503
    assert served.complete().status == 200


def test_a_behaviour_that_does_not_fit_is_refused(serve: Serve) -> None:
    served = serve()

    unknown, negative = served.behave(colour=1), served.behave(fails=-1)

    assert (unknown.status, negative.status) == (400, 400)
    assert unknown.json()["error"]["message"].startswith("There is no colour; there is first_token_ms, ")
    assert served.get(BEHAVIOUR_PATH).json()["fails"] == 0.0


def test_sigterm_lets_a_running_request_come_to_its_end(serve: Serve) -> None:
    served = serve()
    served.behave(token_ms=100)
    answers: list[urllib3.BaseHTTPResponse] = []
    asking = threading.Thread(target=lambda: answers.append(served.complete(max_tokens=10)))
    asking.start()
    wait_until("it runs", lambda: served.metrics()["vllm:num_requests_running"] == 1.0)

    served.server.signal(signal.SIGTERM)
    asking.join()

    assert answers[0].status == 200
    assert served.server.ended(seconds=10) == 0


def _text(answer: urllib3.BaseHTTPResponse) -> str:
    return str(answer.json()["choices"][0]["text"])


def _ask_in_vain(served: Served) -> None:
    try:
        served.complete()
    except urllib3.exceptions.HTTPError:
        return
