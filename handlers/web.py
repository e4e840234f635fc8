"""HTTP: signed requests from Slack, and what a cluster asks of a process."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from slack_bolt import App
from slack_bolt.adapter.wsgi import SlackRequestHandler

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

EVENTS = "/slack/events"
LARGEST = 1024 * 1024

Check = Callable[[], str]
"""Says what is not ready, in a few words; empty if everything is."""


def web(
    checks: Mapping[str, Check],
    *,
    app: App | None = None,
    is_ending: Callable[[], bool] = lambda: False,
    warnings: Callable[[], Sequence[str]] = tuple,
) -> "WSGIApplication":
    """Return a WSGI application; without ``app`` it takes no requests from Slack (Socket Mode).

    Once it ``is_ending`` it is not ready and takes none, so that they go to another replica. With ``warnings`` it is
    ready all the same, and says them.
    """
    slack = SlackRequestHandler(app, path=EVENTS) if app is not None else None

    def serve(environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
        match (environ["REQUEST_METHOD"], environ.get("PATH_INFO", "")):
            case ("GET", "/readyz") | ("POST", "/slack/events") if is_ending():
                return _text(start, "503 Service Unavailable", "stopping\n")
            case ("GET", "/healthz"):
                return _text(start, "200 OK", "alive\n")
            case ("GET", "/readyz"):
                return _ready(start, checks, warnings())
            case ("GET", "/metrics"):
                return _answer(start, "200 OK", CONTENT_TYPE_LATEST, generate_latest())
            case ("POST", "/slack/events") if slack is not None:
                refusal = _refusal(environ)
                return _text(start, refusal, f"{refusal}\n") if refusal else slack(environ, start)
            case _:
                return _text(start, "404 Not Found", "not found\n")

    return serve


def drain(server: Any) -> None:
    """Wait until waitress has sent every answer completely."""
    while any(channel.requests or channel.total_outbufs_len for channel in [*server.active_channels.values()]):
        time.sleep(0.02)


def _refusal(environ: "WSGIEnvironment") -> str:
    """Refuse what Bolt would fail on: a timestamp that is not a number gives 500 there."""
    stamp = str(environ.get("HTTP_X_SLACK_REQUEST_TIMESTAMP", ""))
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12):
        return "401 Unauthorized"
    length = str(environ.get("CONTENT_LENGTH") or "0")
    if not (length.isascii() and length.isdigit()):
        return "400 Bad Request"
    return "413 Content Too Large" if int(length) > LARGEST else ""


def _ready(start: "StartResponse", checks: Mapping[str, Check], warnings: Sequence[str]) -> Iterable[bytes]:
    found = {name: _ask(check) for name, check in checks.items()}
    missing = [f"{name}: {said}" for name, said in found.items() if said]
    status = "503 Service Unavailable" if missing else "200 OK"
    said = [*(missing or ["ready"]), *(f"warning: {warning}" for warning in warnings)]
    return _text(start, status, "\n".join(said) + "\n")


def _ask(check: Check) -> str:
    try:
        return check()
    except Exception as error:
        return type(error).__name__  # its text may hold private data


def _text(start: "StartResponse", status: str, text: str) -> Iterable[bytes]:
    return _answer(start, status, "text/plain; charset=utf-8", text.encode())


def _answer(start: "StartResponse", status: str, kind: str, body: bytes) -> Iterable[bytes]:
    start(status, [("Content-Type", kind), ("Content-Length", str(len(body)))])
    return [body]
