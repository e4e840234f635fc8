"""What the log says about the connection to Slack: that it is lost, every minute since when, and that it is back."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Final

from slack_sdk.errors import SlackApiError

from handlers.slack import refusal
from handlers.tokens import app_token_refusal

log = logging.getLogger(__name__)

SAY_AGAIN: Final = timedelta(minutes=1)


def _now() -> datetime:
    return datetime.now(UTC)


class ConnectionLog:
    """Hears of every failed try, from many threads, and writes a line if it is news, or after a minute."""

    def __init__(self, now: Callable[[], datetime] = _now) -> None:
        self._now = now
        self._since: datetime | None = None
        self._said = now()
        self._lock = Lock()
        self.refusal = ""
        """Slack's no to the app, as a sentence; empty if it has said none."""

    def failed(self, error: BaseException) -> None:
        """The connection could not be made."""
        with self._lock:
            now = self._now()
            had, self.refusal = self.refusal, app_token_refusal(error)
            if self.refusal and self.refusal != had:
                self._since, self._said = self._since or now, now
                log.error("%s Until then, commands and clicks do not arrive.", self.refusal)
            elif self._since is None:
                self._since = self._said = now
                log.warning(
                    "Slack cannot be reached (%s): commands and clicks do not arrive. I keep trying.",
                    _why(error),
                )
            elif now - self._said >= SAY_AGAIN:
                self._said = now
                log.warning("Slack still cannot be reached, since %s (%s).", _hour(self._since), _why(error))

    def works(self) -> None:
        """The connection is there."""
        with self._lock:
            if self._since is not None:
                log.info("Connected to Slack again, after %.0f s.", (self._now() - self._since).total_seconds())
            self._since, self.refusal = None, ""


def _why(error: BaseException) -> str:
    """Return Slack's error, such as ``internal_error``, or the kind of failure; never an address."""
    return refusal(error).error if isinstance(error, SlackApiError) else type(error).__name__


def _hour(time: datetime) -> str:
    return f"{time:%H:%M:%S} UTC"
