"""Private answers: sentences that only the asker sees, sent by response_url from a pool of its own."""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException

from slack_sdk.errors import SlackClientError
from slack_sdk.webhook import WebhookClient

log = logging.getLogger(__name__)

TIMEOUT = 5


class Private:
    """Says things to one person; what does not arrive is only logged, the card tells the same."""

    def __init__(self, *, threads: int = 4) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="private")

    def say(self, reply_to: str, text: str) -> None:
        """Send a sentence to a response_url; none where there is nobody to send it to."""
        if reply_to:
            self.soon(lambda: send(reply_to, text))

    def soon(self, job: Callable[[], None]) -> None:
        """Run something short for a person who waits, behind the acknowledgement."""
        try:
            self._pool.submit(_guarded, job)
        except RuntimeError:
            log.info("A private answer came after the end.")

    def close(self) -> None:
        """Wait for what is on its way."""
        self._pool.shutdown(wait=True)


def _guarded(job: Callable[[], None]) -> None:
    try:
        job()
    except Exception:
        log.exception("A private answer failed.")


def send(url: str, text: str) -> None:
    """Send a sentence now; a failure is only logged."""
    client = WebhookClient(url, timeout=TIMEOUT, retry_handlers=[])
    try:
        answer = client.send_dict({"text": text, "response_type": "ephemeral", "replace_original": False})
    except (OSError, HTTPException, SlackClientError, ValueError) as error:
        log.warning("A private answer did not arrive: %s.", type(error).__name__)
        return
    if answer.status_code != 200:
        log.warning("A private answer was refused: status %s.", answer.status_code)
