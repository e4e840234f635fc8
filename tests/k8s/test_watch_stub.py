"""What a watch does with words that the real API server cannot be made to say: a stub says them."""

import json
import queue
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
from kubernetes.client import Configuration

from k8s.connection import client_of
from k8s.watch import Watch
from sandbox.process import wait_until
from tests.k8s.build import Json, a_ref, a_route, a_rule
from tests.k8s.watching import DEADLINE, Told, live, watching


@dataclass
class Stub:
    """An API server with one object, whose answers to watches a test writes."""

    item: Json
    listed_at: int = 5
    refusals: list[int] = field(default_factory=list)  # statuses of the next watches
    asked: list[str] = field(default_factory=list)
    lines: "queue.Queue[str | None]" = field(default_factory=queue.Queue)

    def say(self, kind: str, document: Json) -> None:
        """Send an event."""
        self.lines.put(json.dumps({"type": kind, "object": document}))

    def end(self) -> None:
        """End an answer."""
        self.lines.put(None)

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Answer a request."""
        query = parse_qs(urlsplit(request.path).query)
        self.asked.append(f"watch {query['resourceVersion'][0]}" if "watch" in query else "list")
        if "watch" not in query:
            listed = {"metadata": {"resourceVersion": str(self.listed_at)}, "items": [self.item]}
            reply(request, HTTPStatus.OK, json.dumps(listed).encode())
        elif self.refusals:
            reply(request, self.refusals.pop(0), b"{}")
        else:
            self._go_on(request)

    def _go_on(self, request: BaseHTTPRequestHandler) -> None:
        request.send_response(HTTPStatus.OK)
        request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()
        for line in iter(self.lines.get, None):
            half = len(line) // 2  # an event may come in pieces
            for part in (line[:half], line[half:] + "\n"):
                request.wfile.write(f"{len(part.encode()):x}\r\n{part}\r\n".encode())
        request.wfile.write(b"0\r\n\r\n")


def reply(request: BaseHTTPRequestHandler, code: int, body: bytes) -> None:
    request.send_response(code)
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body)


def a_version(version: int, weight: int = 1, *, uid: str = "uid-a") -> Json:
    """Return the route ``a`` as it is at a version; another weight is another generation."""
    route = a_route(a_rule(a_ref("pool", weight)), name="a", resourceVersion=str(version))
    route["metadata"].update(uid=uid, generation=weight)
    return route


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def stub() -> Stub:
    return Stub(a_version(5))


@pytest.fixture
def kept(stub: Stub, told: Told) -> Iterator[Watch]:
    """Return a live watch of the stub."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            stub.answer(self)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        api = client_of(Configuration(host=f"http://127.0.0.1:{server.server_address[1]}"))
        with watching(api, "default", told) as watch:
            live(watch)
            yield watch
        for _ in stub.asked:
            stub.end()
        api.rest_client.close()
        server.shutdown()


def test_a_bookmark_moves_where_it_goes_on(kept: Watch, stub: Stub, told: Told) -> None:
    stub.say("BOOKMARK", {"kind": "HTTPRoute", "metadata": {"resourceVersion": "9"}})
    stub.end()
    wait_until("the next watch", lambda: len(stub.asked) == 3, seconds=DEADLINE)
    assert (stub.asked, told.lines) == (["list", "watch 5", "watch 9"], ["there a"])


EXPIRED = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"}


def test_a_version_too_old_lists_again_and_tells_what_is_different(kept: Watch, stub: Stub, told: Told) -> None:
    stub.item, stub.listed_at = a_version(8, weight=2), 8
    stub.say("ERROR", EXPIRED)
    stub.end()
    told.wait("there a", "there a")
    wait_until("the next watch", lambda: len(stub.asked) == 4, seconds=DEADLINE)
    assert (stub.asked, kept.object("default", "a")) == (["list", "watch 5", "list", "watch 8"], stub.item)


def test_the_same_where_it_is_said_as_a_status(kept: Watch, stub: Stub, told: Told) -> None:
    stub.item, stub.listed_at, stub.refusals = a_version(8, weight=2), 8, [410]
    stub.end()
    told.wait("there a", "there a")
    wait_until("the next watch", lambda: len(stub.asked) == 5, seconds=DEADLINE)
    assert stub.asked == ["list", "watch 5", "watch 5", "list", "watch 8"]


def test_a_list_that_tells_nothing_new_is_silent(kept: Watch, stub: Stub, told: Told) -> None:
    stub.say("ERROR", EXPIRED)
    stub.end()
    wait_until("the next watch", lambda: len(stub.asked) == 4, seconds=DEADLINE)
    assert told.lines == ["there a"]


def test_an_object_that_was_deleted_and_created_again_between_two_lists_is_gone_and_there(
    kept: Watch, stub: Stub, told: Told
) -> None:
    stub.item, stub.listed_at = a_version(8, uid="uid-other"), 8
    stub.say("ERROR", EXPIRED)
    stub.end()
    told.wait("there a", "gone a", "there a")


def test_changes_in_a_list_are_reported_even_if_no_watch_follows(kept: Watch, stub: Stub, told: Told) -> None:
    stub.item, stub.listed_at, stub.refusals = a_version(8, weight=2), 8, [410, 503, 503]
    stub.end()
    told.wait("there a", "there a")


def test_our_own_write_is_no_news_and_an_older_event_does_not_undo_it(kept: Watch, stub: Stub, told: Told) -> None:
    kept.keep(a_version(7, weight=3))
    stub.say("MODIFIED", a_version(6, weight=2))
    stub.say("MODIFIED", a_version(7, weight=3))
    stub.say("BOOKMARK", {"metadata": {"resourceVersion": "7"}})
    stub.end()
    wait_until("the next watch", lambda: stub.asked[-1] == "watch 7", seconds=DEADLINE)
    assert (told.lines, kept.object("default", "a")) == (["there a"], a_version(7, weight=3))
    stub.say("MODIFIED", a_version(8, weight=4))
    told.wait("there a", "there a")


def test_a_write_to_what_was_deleted_meanwhile_is_not_kept(kept: Watch, stub: Stub, told: Told) -> None:
    stub.say("DELETED", a_version(6))
    told.wait("there a", "gone a")
    kept.keep(a_version(7))
    assert kept.objects() == ()
    stub.say("ADDED", a_version(8, uid="uid-other"))
    told.wait("there a", "gone a", "there a")
    kept.keep(a_version(9))
    assert kept.object("default", "a") == a_version(8, uid="uid-other")


def test_an_answer_that_makes_no_sense_is_asked_for_again(
    kept: Watch, stub: Stub, told: Told, caplog: pytest.LogCaptureFixture
) -> None:
    for line in ("<html>", '{"type": "MODIFIED", "object": {}}'):
        stub.lines.put(line)
        stub.end()
    stub.say("MODIFIED", a_version(8, weight=2))
    told.wait("there a", "there a")


def test_answers_that_are_over_at_once_are_not_asked_for_without_a_rest(kept: Watch, stub: Stub) -> None:
    begun = time.monotonic()
    for _ in range(4):  # the first may have lasted for a while on a busy machine
        stub.end()
    wait_until("four more", lambda: len(stub.asked) == 6, seconds=DEADLINE)
    assert time.monotonic() - begun > 0.5
    assert kept.objects() is not None
