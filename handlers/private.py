"""What only one person sees: answers by response_url, and dialogs. They do not wait for each other."""

import logging
import time
from collections.abc import Callable
from http.client import HTTPException

from slack_sdk.errors import SlackClientError
from slack_sdk.http_retry.builtin_handlers import ConnectionErrorRetryHandler, ServerErrorRetryHandler
from slack_sdk.webhook import WebhookClient

from bot.domain.prose import Prose
from bot.engine.lane import Lane
from handlers.mrkdwn import mrkdwn

log = logging.getLogger(__name__)

TIMEOUT = 3
TRIES = 2
"""How often an answer is sent again."""

ANSWERS, DIALOGS = 16, 4
"""Threads: how many answers may hang before another one has to wait."""


class Private:
    """Says things to one person; a failure is only logged, as the card tells the same."""

    def __init__(self) -> None:
        self._answers, self._dialogs = Lane("private", ANSWERS), Lane("dialog", DIALOGS)

    def say(self, reply_to: str, said: Prose) -> None:
        """Send a sentence to a response_url; none if there is nobody to send it to."""
        if reply_to:
            self._put(self._answers, lambda: _send(reply_to, mrkdwn(said)))

    def open(self, dialog: Callable[[], None]) -> None:
        """Open a dialog after the acknowledgement; the click allows that for three seconds."""
        self._put(self._dialogs, dialog)

    def close(self) -> None:
        """Wait for what is on its way, but not for a queue behind answers that hang."""
        lanes, until = (self._dialogs, self._answers), time.monotonic() + TIMEOUT
        for lane in lanes:
            lane.settle(until - time.monotonic())
        for lane in lanes:
            lane.stop_line()
            lane.close()

    def _put(self, lane: Lane, job: Callable[[], None]) -> None:
        if not lane.take(job):
            log.info("A private answer came after the bot had stopped.")


def _send(url: str, text: str) -> None:
    """Send a sentence now; if Slack fails at once, it is sent again. What does not arrive then is only logged."""
    again = [ServerErrorRetryHandler(TRIES), ConnectionErrorRetryHandler(TRIES, error_types=[ConnectionError])]
    client = WebhookClient(url, timeout=TIMEOUT, retry_handlers=again)
    try:
        answer = client.send_dict({"text": text, "response_type": "ephemeral", "replace_original": False})
    except (OSError, HTTPException, SlackClientError, ValueError) as error:
        log.warning("A private answer did not arrive: %s.", type(error).__name__)
        return
    if answer.status_code != 200:
        log.warning("A private answer was refused: status %s.", answer.status_code)
