"""The stand-in's HTTP side: it checks the token, the faults and the rate limits, and only then carries out the call."""

import json
import select
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any
from urllib.parse import parse_qsl

from sandbox.slack import APP_TOKEN, BOT_TOKEN
from sandbox.strict_slack.faults import RESPOND, Fault
from sandbox.strict_slack.methods import CONNECT, METHODS
from sandbox.strict_slack.slack import StrictSlack
from sandbox.strict_slack.workspace import RefusedError

Words = dict[str, Any]


class Handler(BaseHTTPRequestHandler):
    """One call. ``slack`` and ``closing`` are set by the class that `strict_slack` makes of it."""

    slack: StrictSlack
    closing: Event

    def do_POST(self) -> None:
        if self.path.startswith("/upload/"):
            return self._take_file()
        words = _words(self)
        if words is None:
            self.close_connection = True
            return None
        if self.path in self.slack.replies:
            return self._go(RESPOND, self.slack.replies[self.path].channel, lambda: self._respond(words))
        method = self.path.removeprefix("/api/")
        self.slack.calls.append((method, words))
        refusal = _refusal(self, method)
        if refusal:
            return self._say({"ok": False, "error": refusal})
        return self._go(method, str(words.get("channel", "")), lambda: self._call(method, words))

    def _take_file(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            self.slack.take_file(self.path, content)
        except RefusedError as error:
            return self._send(400, str(error).encode())
        return self._send(200, b"OK")

    def _go(self, method: str, channel: str, act: Callable[[], Callable[[], None]]) -> None:
        """Make a call fail if there is a fault for it; else carry it out and answer."""
        fault = self.slack.faults.pick(method, channel)
        if fault is None:
            return act()()
        if fault.has_effect:
            act()
        return self._fail(fault)

    def _call(self, method: str, words: Words) -> Callable[[], None]:
        channel = str(words.get("channel", ""))
        with self.slack.lock:
            wait = self.slack.limits.wait(method, channel, self.slack.now())
            if wait:
                self.slack.faults.count("too fast", method)
                return lambda: self._limited(wait)
            answer = self.slack.answer(method, words)
            if method == "chat.postMessage" and answer["ok"]:
                self.slack.limits.posted(channel, self.slack.now())
        return lambda: self._say(answer)

    def _respond(self, words: Words) -> Callable[[], None]:
        try:
            with self.slack.lock:
                self.slack.answer_privately(self.path, words)
        except RefusedError as error:
            said = str(error)
            return lambda: self._say({"ok": False, "error": said}, 404)
        return lambda: self._send(200, b"ok")

    def _fail(self, fault: Fault) -> None:
        match fault.answer:
            case "429":
                self._limited(fault.retry_after)
            case "500":
                self._send(500, b"oops")
            case "moved":
                self._send(307, b"", {"Location": self.path})
            case "hang":
                self._hang(fault.lifted)
            case "lost":
                self.close_connection = True
            case word:
                self._say({"ok": False, "error": word})

    def _hang(self, lifted: Event) -> None:
        """Wait without an answer until the caller gives up or the fault is lifted."""
        while not (self.closing.is_set() or lifted.is_set() or select.select([self.connection], [], [], 0.05)[0]):
            pass
        self.close_connection = True

    def _limited(self, seconds: int) -> None:
        self._send(429, b'{"ok":false,"error":"ratelimited"}', {"Retry-After": str(seconds)})

    def _say(self, answer: Mapping[str, Any], status: int = 200) -> None:
        self._send(status, json.dumps(answer).encode())

    def _send(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


class Server(ThreadingHTTPServer):
    """A server whose threads end with it."""

    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a caller that has gone because it gave up or was killed."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def strict_slack(now: Callable[[], float] = time.time) -> Iterator[StrictSlack]:
    """Run a stand-in with the sandbox's people and channels during the block."""
    slack, closing = StrictSlack(now=now), Event()
    server = Server(("127.0.0.1", 0), type("Bound", (Handler,), {"slack": slack, "closing": closing}))
    slack.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, name="strict-slack")
    thread.start()
    try:
        yield slack
    finally:
        closing.set()
        server.shutdown()
        thread.join()
        server.server_close()


def _refusal(request: BaseHTTPRequestHandler, method: str) -> str:
    token = request.headers.get("Authorization", "")
    if not token:
        return "not_authed"
    if token != f"Bearer {APP_TOKEN if method == CONNECT else BOT_TOKEN}":
        return "invalid_auth"
    return "" if method in METHODS else "unknown_method"


def _words(request: BaseHTTPRequestHandler) -> Words | None:
    """Return what a request says; None if the caller was killed before it had said all."""
    length = int(request.headers.get("Content-Length") or 0)
    body = request.rfile.read(length)
    if len(body) < length:
        return None
    if "json" in request.headers.get("Content-Type", ""):
        words: Words = json.loads(body or "{}")
        return words
    return dict(parse_qsl(body.decode()))
