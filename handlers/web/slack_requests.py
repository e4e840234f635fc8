"""Slack's requests over HTTP: the signature first, then the payload, then Bolt."""

import json
import logging
import time
from collections.abc import Callable, Iterable
from http import HTTPStatus
from threading import Lock
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from slack_bolt import App
from slack_sdk.signature import SignatureVerifier

from handlers.payload import MalformedError, hear
from handlers.web.answers import answer, refuse

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

log = logging.getLogger(__name__)

PATH: Final = "/slack/events"
THREADS: Final = 32
FIELDS: Final = 100
"""Slack's forms have some twenty."""

SAY_AGAIN: Final = 60.0
"""Seconds for which further requests without a signature are only counted."""


def slack_requests(
    app: App, signing_secret: str, *, is_ending: Callable[[], bool] = lambda: False
) -> "WSGIApplication":
    """Return a WSGI application. Once the process ``is_ending`` it takes nothing: another replica may."""
    verifier, unsigned = SignatureVerifier(signing_secret), _Unsigned()

    def serve(environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
        if (environ["REQUEST_METHOD"], environ.get("PATH_INFO", "")) != ("POST", PATH):
            return refuse(start, "404 Not Found")
        if is_ending():
            return answer(start, "503 Service Unavailable", "stopping\n")
        body: bytes = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        if not _is_signed(verifier, environ, body):
            unsigned.count(str(environ.get("REMOTE_ADDR", "")))
            return refuse(start, "401 Unauthorized")
        return _hear(app, body, start)

    return serve


def _is_signed(verifier: SignatureVerifier, environ: "WSGIEnvironment", body: bytes) -> bool:
    """Ask the SDK, which fails on what is no number, no ASCII or no UTF-8. Slack sends none of that."""
    stamp, signature = (str(environ.get(f"HTTP_X_SLACK_{name}", "")) for name in ("REQUEST_TIMESTAMP", "SIGNATURE"))
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12 and signature.isascii()):
        return False
    try:
        return verifier.is_valid(body, stamp, signature)
    except UnicodeDecodeError:
        return False


def _hear(app: App, body: bytes, start: "StartResponse") -> Iterable[bytes]:
    try:
        heard = hear(app, _document(body.decode()))
    except MalformedError as error:
        log.warning("A request from Slack cannot be read: %s.", error)
        return refuse(start, "400 Bad Request")
    status = HTTPStatus(heard.status)
    return answer(start, f"{status} {status.phrase}", heard.body, heard.first_headers()["content-type"])


def _document(body: str) -> object:
    """Read an event, which is JSON, or a form: a command, or a payload. Raises MalformedError."""
    try:
        if body.startswith("{"):
            return json.loads(body)
        form = dict(parse_qsl(body, keep_blank_values=True, max_num_fields=FIELDS))
        return json.loads(form["payload"]) if "payload" in form else form
    except (ValueError, RecursionError):
        raise MalformedError("it is neither JSON nor a form of Slack's") from None


class _Unsigned:
    """Counts requests that Slack did not sign, and logs them once a minute: a line for each would be a flood."""

    def __init__(self) -> None:
        self._count, self._said = 0, -SAY_AGAIN
        self._lock = Lock()

    def count(self, sender: str) -> None:
        """Count one more."""
        with self._lock:
            self._count += 1
            if time.monotonic() - self._said < SAY_AGAIN:
                return
            log.warning("Refused requests without Slack's signature: %d, the last from %s.", self._count, sender)
            self._count, self._said = 0, time.monotonic()
