"""Logs, as text or as JSON lines, without secrets: tokens and what the settings hold are masked wherever they occur."""

import json
import logging
import re
import sys
import threading
from collections.abc import Iterable
from datetime import UTC, datetime
from math import isfinite
from types import TracebackType
from typing import Any, Literal, TextIO
from urllib.parse import quote

from bot.domain.masking import masked

MASK = "***"
SHORTEST_SECRET = 4

LONGEST = 16_000
"""Characters of one message or traceback; of a longer one the middle is left out."""

READ = 4 * LONGEST
"""Characters in which secrets are looked for."""

_CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""What begins a new line, moves a terminal's cursor, turns text around, or cannot be written at all."""

_TICKET = re.compile(r"\b(ticket=)[^\s&\"'<>]+")
"""Of Socket Mode's WebSocket."""

_STANDARD = frozenset({*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"})
_QUIET = {
    **dict.fromkeys(("urllib3", "slack_sdk", "waitress.queue"), logging.WARNING),
    "slack_bolt": logging.ERROR,  # it warns of requests that nobody listens to, with their bodies
    "slack_sdk.web": logging.CRITICAL,  # we get the exception too, and log it ourselves
    "apscheduler": logging.ERROR,  # it warns of sweeps that take longer than their interval, which is fine
}


def _forms(secret: str) -> tuple[str, ...]:
    """Return a secret as it appears in a text, in a ``repr``, in JSON and in an address."""
    return (secret, repr(secret)[1:-1], json.dumps(secret)[1:-1], quote(secret, safe=""))


class Masked(logging.Formatter):
    """Masks secrets, and leaves out the middle of what is too long."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s")
        known = {form for secret in secrets if len(secret) >= SHORTEST_SECRET for form in _forms(secret)}
        longest_first = sorted(known, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, longest_first))) if known else None

    def mask(self, text: str) -> str:
        """Return a text without secrets, not much longer than LONGEST."""
        left_out = max(0, len(text) - READ)
        if left_out:  # the cut is far from what stays, so that it leaves no half of a secret there
            text = text[: READ // 2] + text[-READ // 2 :]
        if self._known:
            text = self._known.sub(MASK, text)
        text = masked(_TICKET.sub(rf"\1{MASK}", text), MASK)
        left_out += len(text) - LONGEST
        half = LONGEST // 2
        return f"{text[:half]} … {left_out} characters left out … {text[-half:]}" if left_out > 0 else text

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802
        """Write the time in UTC."""
        return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class TextLines(Masked):
    """One line for each record, and its traceback below it, indented: no text in a record can look like another one."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        """Write the line."""
        return _on_one_line(self.mask(super().formatMessage(record)))

    def formatException(self, ei: Any) -> str:  # noqa: N802
        """Write the traceback."""
        lines = self.mask(super().formatException(ei)).split("\n")
        return "\n".join(f"  {_on_one_line(line)}" for line in lines)


def _on_one_line(text: str) -> str:
    return _CONTROL.sub(lambda found: repr(found[0])[1:-1], text)


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
        is_json = isinstance(value, (int, bool, type(None))) or (isinstance(value, float) and isfinite(value))
        return value if is_json else self.mask(str(value))


class _Handler(logging.StreamHandler[TextIO]):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Say where a bad log call is; Python's own message would print its arguments unmasked."""
        print(f"a log line could not be written: {record.pathname}:{record.lineno}", file=sys.__stderr__)


def configure(mode: Literal["json", "text"], secrets: Iterable[str] = (), *, stream: TextIO | None = None) -> None:
    """Send all logs, warnings and uncaught exceptions to ``stream`` (standard error), without secrets."""
    handler = _Handler(stream or sys.stderr)
    handler.setFormatter(JsonLines(secrets) if mode == "json" else TextLines(secrets))
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
