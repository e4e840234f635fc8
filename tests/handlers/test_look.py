"""One more connection to the sandbox's Slack, for its count."""

import base64
import hashlib
import json
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import websocket
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse
from websocket._abnf import frame_buffer

from handlers.app import bolt_app, web_client
from handlers.look import Extra, connections, count
from handlers.socket import Socket
from sandbox.slack import APP_TOKEN, BOT_TOKEN, Slack
from tests.handlers.test_local_slack import eventually


@contextmanager
def connected(slack: Slack, counts: list[int]) -> Iterator[Socket]:
    mode = Socket(bolt_app(web_client(BOT_TOKEN, base_url=slack.api_url)), APP_TOKEN, counted=counts.append)
    mode.connect()
    eventually(mode.is_connected)
    yield mode
    mode.close()


def test_a_look_counts_one_more_than_there_are_and_leaves_none_behind(local_slack: Slack) -> None:
    first: list[int] = []
    second: list[int] = []
    with connected(local_slack, first) as mode:
        eventually(lambda: first == [1])
        assert [mode.look(), mode.look()] == [2, 2]
        with connected(local_slack, second):
            eventually(lambda: second == [2])
            assert mode.look() == 3
    assert first == [1]


def test_a_slack_that_is_away_counts_nothing() -> None:
    mode = Socket(bolt_app(web_client(BOT_TOKEN, base_url="http://127.0.0.1:1/api/")), APP_TOKEN)
    assert (mode.look(), mode.is_connected()) == (None, False)
    mode.close()


@contextmanager
def slack_that_sends(*messages: dict[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """Run a Slack that sends these messages, then closes when we do; yield its address and what it was told."""
    told: list[str] = []

    def serve() -> None:
        session, _ = listening.accept()
        with session:
            head = session.recv(65536).decode()
            (key,) = re.findall(r"Sec-WebSocket-Key: (\S+)", head)
            proof = base64.b64encode(hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest())
            upgrade = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            session.sendall(f"{upgrade}Sec-WebSocket-Accept: {proof.decode()}\r\n\r\n".encode())
            for message in messages:
                session.sendall(_frame(0x81, json.dumps(message).encode()))
            frames = frame_buffer(session.recv, skip_utf8_validation=False)
            while (frame := frames.recv_frame()).opcode != websocket.ABNF.OPCODE_CLOSE:
                told.append(str(frame.data, "utf-8") if isinstance(frame.data, bytes) else frame.data)
            session.sendall(_frame(0x88, b""))

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"ws://127.0.0.1:{listening.getsockname()[1]}/", told
        thread.join()


def _frame(first: int, data: bytes) -> bytes:
    return bytes([first, len(data)]) + data


def test_what_slack_sends_meanwhile_is_taken_in_and_answered_as_long_as_it_can_be() -> None:
    heard: list[str] = []

    def handle(extra: Extra, request: SocketModeRequest) -> None:
        heard.append(str(request.payload["text"]))
        extra.send_socket_mode_response(SocketModeResponse(request.envelope_id, {"text": "taken"}))

    before, after = ({"type": "slash_commands", "envelope_id": id, "payload": {"text": id}} for id in ("e1", "e2"))
    with slack_that_sends(before, {"type": "hello", "num_connections": 3}, after) as (url, told):
        assert count(url, handle) == 3
    assert heard == ["e1", "e2"]
    assert [json.loads(each) for each in told] == [{"envelope_id": "e1", "payload": {"text": "taken"}}]


@pytest.mark.parametrize(
    ("hello", "counted"),
    [({"num_connections": 2}, 2), ({}, None), ({"num_connections": "2"}, None), ({"num_connections": True}, None)],
)
def test_a_count_is_a_number(hello: dict[str, object], counted: int | None) -> None:
    assert connections(hello) == counted
