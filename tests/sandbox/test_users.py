"""The users of the load generator, on a gateway that fails them in every way: each is in the ledger as what it was."""

import asyncio
import random
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import aiohttp
import pytest

from sandbox.load.ledger import Record, failures
from sandbox.load.mix import KINDS, Kind
from sandbox.load.users import Users, ended

SHORT, STREAM = KINDS[0], KINDS[2]
ANSWER = b'{"choices": [{"text": "a", "finish_reason": "length"}]}'
EVENT = b'data: {"choices": [{"text": "a", "finish_reason": null}]}\n\n'
LAST = b'data: {"choices": [{"text": "a", "finish_reason": "length"}]}\n\n'
END = b"data: [DONE]\n\n"


@dataclass
class Gateway:
    """Answers with ``status`` and ``body``, and says that the body is ``longer`` than it is."""

    url: str = ""
    status: int = 200
    body: bytes = ANSWER
    longer: int = 0


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    said = Gateway()

    class Answers(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(said.status)
            self.send_header("Content-Length", str(len(said.body) + said.longer))
            self.send_header("x-inference-pod", "llama-1234-abcd")
            self.end_headers()
            self.wfile.write(said.body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        said.url = f"http://127.0.0.1:{server.server_port}"
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield said
        server.shutdown()


def asked(url: str, kind: Kind = SHORT) -> Record:
    """Return what becomes of one request."""
    records: list[Record] = []
    users = Users(url=url, model="llama", adapter="food", record=records.append, chance=random.Random(1))

    async def ask() -> None:
        async with aiohttp.ClientSession() as session:
            await users.ask(session, kind)

    asyncio.run(ask())
    (record,) = records
    return record


def test_a_whole_answer_is_good_and_names_its_pool(gateway: Gateway) -> None:
    record = asked(gateway.url)

    assert (record.pool, record.status, record.is_whole, record.failed) == ("llama", 200, True, False)


def test_a_refusal_failed_with_its_status(gateway: Gateway) -> None:
    gateway.status, gateway.body = 503, b""

    assert failures([asked(gateway.url)]) == {"503": 1}


def test_an_answer_that_breaks_off_is_cut(gateway: Gateway) -> None:
    gateway.longer = 10

    assert failures([asked(gateway.url)]) == {"cut": 1}


def test_a_stream_without_its_end_is_cut(gateway: Gateway) -> None:
    gateway.body = EVENT + EVENT

    assert failures([asked(gateway.url, STREAM)]) == {"cut": 1}


def test_nobody_there_is_named() -> None:
    assert failures([asked("http://127.0.0.1:1")]) == {"ClientConnectorError": 1}


@pytest.mark.parametrize(
    ("kind", "status", "text", "is_whole"),
    [
        (SHORT, 200, ANSWER, True),
        (SHORT, 200, b'{"error": 1}', False),
        (SHORT, 200, b'{"choices": []}', False),
        (SHORT, 200, ANSWER[:-3], False),
        (SHORT, 503, b'{"error": {}}', True),
        (SHORT, 503, b"", False),
        (STREAM, 200, EVENT + LAST + END, True),
        (STREAM, 200, EVENT + LAST, False),
        (STREAM, 200, EVENT + END, False),
        (STREAM, 200, b'data: {"error": 1}\n\n' + END, False),
    ],
)
def test_an_answer_is_whole_only_with_its_end(kind: Kind, status: int, text: bytes, is_whole: bool) -> None:
    assert ended(kind, status, text) is is_whole
