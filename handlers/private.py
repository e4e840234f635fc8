"""What only one person sees: answers by response_url, and dialogs. Neither waits for the other."""

import logging
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from http.client import HTTPException

from slack_sdk.errors import SlackClientError
from slack_sdk.webhook import WebhookClient

from bot.domain.prose import Prose
from handlers.mrkdwn import mrkdwn

log = logging.getLogger(__name__)

TIMEOUT = 3
ANSWERS, DIALOGS = 16, 4
"""Threads; so many answers may hang before another one has to wait."""


class Private:
    """Says things to one person; what does not arrive is only logged, the card tells the same."""

    def __init__(self) -> None:
        self._answers = ThreadPoolExecutor(ANSWERS, thread_name_prefix="private")
        self._dialogs = ThreadPoolExecutor(DIALOGS, thread_name_prefix="dialog")
        self._pending: set[Future[None]] = set()

    def say(self, reply_to: str, said: Prose) -> None:
        """Send a sentence to a response_url; none where there is nobody to send it to."""
        if reply_to:
            self._put(self._answers, lambda: _send(reply_to, mrkdwn(said)))

    def open(self, dialog: Callable[[], None]) -> None:
        """Open a dialog, behind the acknowledgement; the click is good for it for three seconds."""
        self._put(self._dialogs, dialog)

    def close(self) -> None:
        """Wait for what is on its way, but not for a queue behind answers that hang."""
        until = time.monotonic() + TIMEOUT
        while self._pending and (left := until - time.monotonic()) > 0:
            wait(set(self._pending), left)
        for pool in (self._dialogs, self._answers):
            pool.shutdown(wait=True, cancel_futures=True)

    def _put(self, pool: ThreadPoolExecutor, job: Callable[[], None]) -> None:
        try:
            pending = pool.submit(_guarded, job)
        except RuntimeError:
            log.info("A private answer came after the end.")
            return
        self._pending.add(pending)
        pending.add_done_callback(self._pending.discard)


def _guarded(job: Callable[[], None]) -> None:
    try:
        job()
    except Exception:
        log.exception("A private answer failed.")


def _send(url: str, text: str) -> None:
    """Send a sentence now; a failure is only logged."""
    client = WebhookClient(url, timeout=TIMEOUT, retry_handlers=[])
    try:
        answer = client.send_dict({"text": text, "response_type": "ephemeral", "replace_original": False})
    except (OSError, HTTPException, SlackClientError, ValueError) as error:
        log.warning("A private answer did not arrive: %s.", type(error).__name__)
        return
    if answer.status_code != 200:
        log.warning("A private answer was refused: status %s.", answer.status_code)
