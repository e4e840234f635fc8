"""Logs, as text or as JSON lines, without secrets: tokens and what the settings hold are masked wherever they occur."""

import json
import logging
import re
import sys
import threading
from collections.abc import Iterable
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Literal, TextIO
from urllib.parse import quote

MASK = "***"
SHORTEST_SECRET = 4

_PATTERNS = (
    (re.compile(r"\bx(?:ox[a-z](?:\.xox[a-z])?|app)-[\w-]+"), MASK),
    (re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s/@:]*):[^\s/@]+@", re.IGNORECASE), rf"\1:{MASK}@"),
    (re.compile(r"(hooks\.slack\.com)/[^\s\"'<>]+"), rf"\1/{MASK}"),  # a response_url lets anyone answer
    (re.compile(r"\b(ticket=)[^\s&\"'<>]+"), rf"\1{MASK}"),  # of Socket Mode's WebSocket
    (re.compile(r"\b(Bearer\s+)[\w.~+/=-]{8,}", re.IGNORECASE), rf"\1{MASK}"),
)
_STANDARD = frozenset({*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"})
_QUIET = {
    **dict.fromkeys(("urllib3", "slack_bolt", "slack_sdk", "waitress.queue"), logging.WARNING),
    "slack_sdk.web": logging.CRITICAL,  # we get the exception too, and log it ourselves
    "apscheduler": logging.ERROR,  # it warns of sweeps that take longer than their interval, which is fine
}


def _forms(secret: str) -> tuple[str, ...]:
    """Return a secret as it appears in a text, in a ``repr``, in JSON and in an address."""
    return (secret, repr(secret)[1:-1], json.dumps(secret)[1:-1], quote(secret, safe=""))


class Masked(logging.Formatter):
    """Formats a record with its traceback, and masks the secrets in it."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s")
        known = {form for secret in secrets if len(secret) >= SHORTEST_SECRET for form in _forms(secret)}
        longest_first = sorted(known, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, longest_first))) if known else None

    def mask(self, text: str) -> str:
        """Return a text without secrets."""
        if self._known:
            text = self._known.sub(MASK, text)
        for pattern, replacement in _PATTERNS:
            text = pattern.sub(replacement, text)
        return text

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802
        """Write the time in UTC."""
        return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def format(self, record: logging.LogRecord) -> str:
        """Write a record as text."""
        return self.mask(super().format(record))


class JsonLines(Masked):
    """One JSON object for each record; each ``extra`` is a field of its own."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a record as one line. Masked before it is encoded: JSON writes ``"`` and ``é`` in other letters."""
        line: dict[str, Any] = {
            "time": self.formatTime(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self.mask(record.getMessage()),
        }
        line |= {key: self._field(value) for key, value in vars(record).items() if key not in _STANDARD}
        if record.exc_info:
            line["exception"] = self.mask(self.formatException(record.exc_info))
        return json.dumps(line)

    def _field(self, value: object) -> object:
        return value if isinstance(value, (int, float, bool, type(None))) else self.mask(str(value))


class _Handler(logging.StreamHandler[TextIO]):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Say where a bad log call is; Python's own message would print its arguments unmasked."""
        print(f"a log line could not be written: {record.pathname}:{record.lineno}", file=sys.__stderr__)


def configure(mode: Literal["json", "text"], secrets: Iterable[str] = (), *, stream: TextIO | None = None) -> None:
    """Send all logs, warnings and uncaught exceptions to ``stream`` (standard error), without secrets."""
    handler = _Handler(stream or sys.stderr)
    handler.setFormatter(JsonLines(secrets) if mode == "json" else Masked(secrets))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    for name, level in _QUIET.items():
        logging.getLogger(name).setLevel(level)
    logging.captureWarnings(True)
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    logging.getLogger("bot").critical("uncaught exception", exc_info=(kind, error, trace))


def _uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None and not issubclass(args.exc_type, SystemExit):
        name = args.thread.name if args.thread else "?"
        info = (args.exc_type, args.exc_value, args.exc_traceback)
        logging.getLogger("bot").critical("uncaught exception in thread %s", name, exc_info=info)
