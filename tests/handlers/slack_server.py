"""A strict Slack Web API on this machine: it knows its channels and messages, and refuses what Slack refuses."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any
from urllib.parse import parse_qsl

from tests.handlers.block_kit import faults

BOT, TEAM = "U0BOT00001", "T0TEAM0001"
Answer = dict[str, Any]


class RefusedError(Exception):
    """Slack says no, in its own word."""


@dataclass
class SlackServer:
    """What Slack holds, and what shall go wrong next. ``trips[method]``: "lost", "500", "429", or an error word."""

    url: str = ""
    channels: dict[str, dict[str, Any]] = field(default_factory=dict)
    users: dict[str, dict[str, Any]] = field(default_factory=dict)
    messages: list[dict[str, Any]] = field(default_factory=list)
    calls: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    trips: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    private: list[Mapping[str, Any]] = field(default_factory=list)
    views: list[Mapping[str, Any]] = field(default_factory=list)
    meanwhile: dict[str, Callable[[], None]] = field(default_factory=dict)
    now: float = 1_795_435_200.0
    lock: Lock = field(default_factory=Lock)

    def cards(self, channel: str | None = None) -> list[dict[str, Any]]:
        return [m for m in self.messages if "thread_ts" not in m and channel in (None, m["channel"])]

    def thread(self, ts: str) -> list[dict[str, Any]]:
        return [m for m in self.messages if m.get("thread_ts") == ts]

    def count(self, method: str) -> int:
        return sum(1 for called, _ in self.calls if called == method)

    def answer(self, method: str, words: Mapping[str, Any]) -> Answer:
        self.calls.append((method, words))
        try:
            answer = {"ok": True, **_METHODS[method](self, words)}
        except RefusedError as error:
            return {"ok": False, "error": str(error)}
        self.meanwhile.pop(method, lambda: None)()
        return answer


def _post(slack: SlackServer, words: Mapping[str, Any]) -> Answer:
    _writable(slack, words["channel"])
    _valid(words)
    thread = words.get("thread_ts")
    if thread and not any(m["ts"] == thread for m in slack.cards()):
        raise RefusedError("thread_not_found")
    slack.now += 1
    message = {
        "channel": words["channel"],
        "ts": f"{slack.now:.6f}",
        "user": BOT,
        "bot_id": "B0BOT00001",
        "text": words["text"],
        "blocks": words["blocks"],
        "edits": 0,
        **({"thread_ts": thread, "broadcast": words.get("reply_broadcast")} if thread else {}),
    }
    slack.messages.append(message)
    return {"channel": words["channel"], "ts": message["ts"]}


def _update(slack: SlackServer, words: Mapping[str, Any]) -> Answer:
    _writable(slack, words["channel"])
    _valid(words)
    message = _message(slack, words)
    message.update(text=words["text"], blocks=words["blocks"], edits=message["edits"] + 1)
    return {"ts": message["ts"]}


def _delete(slack: SlackServer, words: Mapping[str, Any]) -> Answer:
    slack.messages.remove(_message(slack, words))
    return {}


def _message(slack: SlackServer, words: Mapping[str, Any]) -> dict[str, Any]:
    for message in slack.messages:
        if (message["channel"], message["ts"]) == (words["channel"], words["ts"]):
            return message
    raise RefusedError("message_not_found")


def _history(slack: SlackServer, words: Mapping[str, Any]) -> Answer:
    return _page(slack.cards(words["channel"]), words)


def _replies(slack: SlackServer, words: Mapping[str, Any]) -> Answer:
    parent = [m for m in slack.cards(words["channel"]) if m["ts"] == words["ts"]]
    if not parent:
        raise RefusedError("thread_not_found")
    return _page(parent + slack.thread(words["ts"]), words)


def _page(messages: list[dict[str, Any]], words: Mapping[str, Any]) -> Answer:
    """Give two at a time, newest first, so that nobody gets away with reading one page."""
    wanted = [m for m in messages if float(m["ts"]) >= float(words.get("oldest", 0))][::-1]
    at = int(words.get("cursor") or 0)
    more = str(at + 2) if at + 2 < len(wanted) else ""
    return {"messages": wanted[at : at + 2], "response_metadata": {"next_cursor": more}}


def _writable(slack: SlackServer, channel: str) -> None:
    facts = slack.channels.get(channel)
    if facts is None:
        raise RefusedError("channel_not_found")
    if facts.get("is_archived"):
        raise RefusedError("is_archived")
    if not facts.get("is_member"):
        raise RefusedError("not_in_channel")


def _valid(words: Mapping[str, Any]) -> None:
    if faults(words["text"], words["blocks"]):
        raise RefusedError("invalid_blocks")


def _known(kind: str, error: str) -> Any:
    def find(slack: SlackServer, words: Mapping[str, Any]) -> Answer:
        known = getattr(slack, f"{kind}s").get(words[kind])
        if known is None:
            raise RefusedError(error)
        return {kind: {"id": words[kind], **known}}

    return find


def _open(slack: SlackServer, words: Mapping[str, Any]) -> Answer:
    view = words["view"]
    slack.views.append(json.loads(view) if isinstance(view, str) else view)
    return {}


def _whoami(slack: SlackServer, words: Mapping[str, Any]) -> Answer:
    return {"team_id": TEAM, "user_id": BOT, "bot_id": "B0BOT00001"}


_METHODS = {
    "auth.test": _whoami,
    "chat.postMessage": _post,
    "chat.update": _update,
    "chat.delete": _delete,
    "conversations.history": _history,
    "conversations.replies": _replies,
    "users.info": _known("user", "user_not_found"),
    "conversations.info": _known("channel", "channel_not_found"),
    "views.open": _open,
}


@contextmanager
def slack_server() -> Iterator[SlackServer]:
    slack = SlackServer()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(slack))
    server.daemon_threads = True
    slack.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield slack
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(slack: SlackServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            words = _words(self)
            if self.path.startswith("/respond"):
                slack.private.append(words)
                return self._send(200, b"ok")
            method = self.path.removeprefix("/api/")
            with slack.lock:
                return self._trip(method, words)

        def _trip(self, method: str, words: Mapping[str, Any]) -> None:
            trip = slack.trips[method].pop(0) if slack.trips[method] else ""
            if trip == "429":
                slack.calls.append((method, words))
                return self._send(429, b'{"ok":false,"error":"ratelimited"}', {"Retry-After": "30"})
            if trip and trip not in ("lost", "500"):
                slack.calls.append((method, words))
                return self._send(200, json.dumps({"ok": False, "error": trip}).encode())
            answer = slack.answer(method, words)
            if trip == "lost":
                self.close_connection = True
                return None
            return self._send(500 if trip else 200, b"oops" if trip else json.dumps(answer).encode())

        def _send(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    return Handler


def _words(request: BaseHTTPRequestHandler) -> dict[str, Any]:
    body = request.rfile.read(int(request.headers.get("Content-Length") or 0)).decode()
    if "json" in request.headers.get("Content-Type", ""):
        words: dict[str, Any] = json.loads(body or "{}")
        return words
    return dict(parse_qsl(body))
