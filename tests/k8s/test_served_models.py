"""What pods answer when they are asked for their models, and what cannot be asked."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from kubernetes.client import ApiClient

from k8s.served_models import LONGEST_ANSWER, MOST_MODELS, ServedModels, ask_pool, models_in
from sandbox.kube import Kube
from sandbox.robot import Robot
from sandbox.world import CANARY
from tests.serving import a_serving_world

MODEL = "meta-llama/Llama-3.1-8B-Instruct"


def a_list(*models: Any) -> bytes:
    return json.dumps({"object": "list", "data": [*models]}).encode()


@pytest.mark.parametrize(
    ("body", "names"),
    [
        (a_list(), set()),
        (a_list({"id": "llama"}, {"id": "llama-lora", "parent": "llama"}), {"llama", "llama-lora"}),
        (a_list({"id": "gpt-4o mini"}, {"id": "org/m:v1@2"}), {"gpt-4o mini", "org/m:v1@2"}),
        (a_list({"id": "`x`"}, {"id": "<!channel>"}, {"id": "a\nb"}, {"id": ""}, {"id": "x" * 201}), set()),
        (a_list(None, 7, {}, {"id": None}, {"id": ["llama"]}, "llama"), set()),
        (a_list(*({"id": f"m{number}"} for number in range(9000))), {f"m{number}" for number in range(MOST_MODELS)}),
    ],
)
def test_the_names_in_a_list_of_models(body: bytes, names: set[str]) -> None:
    assert models_in(body).names == frozenset(names)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no json",
        b"[]",
        b"{}",
        b'{"data": {}}',
        b"\xff\xfe",
        b"[" * 100_000,
        b" " * LONGEST_ANSWER + a_list({"id": "llama"}),
    ],
)
def test_an_answer_of_another_shape_is_none(body: bytes) -> None:
    with pytest.raises(ValueError, match="not a list of models"):
        models_in(body)


# --- pods


@pytest.mark.parametrize(
    ("entry", "is_adapter"),
    [
        ({"id": "food", "parent": "llama"}, True),
        ({"id": "llama", "parent": None}, False),
        ({"id": "llama", "parent": ""}, False),
        ({"id": "llama", "parent": "llama"}, False),
        ({"id": "llama", "parent": 7}, False),
        ({"id": "llama"}, False),
    ],
)
def test_an_adapter_is_what_names_another_model_as_its_parent(entry: Any, is_adapter: bool) -> None:
    assert models_in(a_list(entry)).adapters == (frozenset({entry["id"]}) if is_adapter else frozenset())


@contextmanager
def answering(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[int]:
    """Run a server on loopback that answers each request in one way, and return its port."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield server.server_port
        server.shutdown()


def asked(api: ApiClient, port: int, address: str = "127.0.0.1") -> ServedModels:
    """Ask a pod that only we know of, so that the API server cannot be asked for it."""
    ready = [{"type": "Ready", "status": "True"}]
    pod = {"metadata": {"namespace": "none", "name": "pod-0"}, "status": {"podIP": address, "conditions": ready}}
    pool = {"metadata": {"name": "llama"}, "spec": {"targetPorts": [{"number": port}]}}
    return ask_pool(api, pool, [pod])


def no_answer(port: int) -> ServedModels:
    return ServedModels(None, f"pod `pod-0` does not answer `GET /v1/models` at port {port}")


def _send(handler: BaseHTTPRequestHandler, status: int, body: bytes = b"", **headers: str) -> None:
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)


def _drip(handler: BaseHTTPRequestHandler) -> None:
    """Go on for ever, a byte now and then."""
    handler.send_response(200)
    handler.end_headers()
    stop = threading.Event()
    try:
        while not stop.wait(0.1):
            handler.wfile.write(b" ")
    except OSError:
        return


def test_a_pod_that_the_api_server_does_not_reach_is_asked_at_its_address(api: ApiClient) -> None:
    with answering(lambda handler: _send(handler, 200, a_list({"id": MODEL}))) as port:
        assert asked(api, port) == ServedModels(frozenset({MODEL}))


@pytest.mark.parametrize(
    "answer",
    [
        lambda handler: _send(handler, 401, a_list({"id": MODEL})),
        lambda handler: _send(handler, 302, Location="/v1/models?again"),
        lambda handler: _send(handler, 200, b"<html>"),
        lambda handler: handler.wfile.write(b"HTTP/9.9 what\r\n\r\n"),
        _drip,
    ],
)
def test_whatever_else_a_pod_answers_it_was_not_asked(api: ApiClient, answer: Any) -> None:
    with answering(answer) as port:
        assert asked(api, port) == no_answer(port)


@pytest.mark.parametrize("address", ["169.254.169.254", "fe80::1", "0.0.0.0", "224.0.0.1", "localhost", "", "None"])
def test_what_is_no_pods_address_is_not_asked(api: ApiClient, address: str) -> None:
    assert asked(api, 80, address) == no_answer(80)


def test_the_pods_of_a_real_pool_answer(kube: Kube, namespace: str, robot: Robot, api: ApiClient) -> None:
    with a_serving_world(kube, namespace) as world:
        pool = world.kube.get(f"/apis/inference.networking.k8s.io/v1/namespaces/{namespace}/inferencepools/{CANARY}")
        assert ask_pool(api, pool, world.servers(CANARY)) == ServedModels(frozenset({MODEL}))
        world.set_servers_ready(CANARY, 0)
        assert ask_pool(api, pool, world.servers(CANARY)) == ServedModels(None)
