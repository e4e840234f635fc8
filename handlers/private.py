"""What only one person sees: answers by response_url, and dialogs. They do not wait for each other."""

import logging
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import requests

from bot.deadline import session
from bot.domain.prose import Prose
from bot.engine.lane import Lane
from handlers.cards import Card
from handlers.mrkdwn import mrkdwn

log = logging.getLogger(__name__)

SLACKS = ("https://hooks.slack.com/", "https://hooks.slack-gov.com/")
"""How every response_url begins."""

DEADLINE = 3.0
"""Seconds for the head of Slack's answer."""

TRIES = 2
"""How often an answer is sent again."""

PAUSE = 0.3
"""Seconds before that."""

ANSWERS, DIALOGS = 64, 4
"""Threads: how many answers may hang before another one has to wait."""


class Private:
    """Says things to one person; a failure is only logged, as the card tells the same."""

    def __init__(self, slack: str) -> None:
        """Keep where answers may go: to Slack, whose Web API is at the address ``slack``."""
        api = urlsplit(slack)
        self._may_begin = (*SLACKS, f"{api.scheme}://{api.netloc}/")
        self._answers, self._dialogs = Lane("private", ANSWERS), Lane("dialog", DIALOGS)

    def say(self, reply_to: str, said: Prose | Card) -> None:
        """Send a sentence or a card to a response_url, if there is something to say and the address is Slack's."""
        if not reply_to or not said:
            return
        if not reply_to.startswith(self._may_begin):
            log.warning("A private answer was not sent: its address is not Slack's.")
            return
        self._put(self._answers, lambda: _send(reply_to, private_message(said)))

    def open(self, dialog: Callable[[], None]) -> None:
        """Open a dialog after the acknowledgement; the click allows that for three seconds."""
        self._put(self._dialogs, dialog)

    def close(self) -> None:
        """Wait for what is on its way, but not for a queue behind answers that hang."""
        lanes, until = (self._dialogs, self._answers), time.monotonic() + DEADLINE
        for lane in lanes:
            lane.settle(until - time.monotonic())
        for lane in lanes:
            lane.stop_line()
            lane.close()

    def _put(self, lane: Lane, job: Callable[[], None]) -> None:
        if not lane.take(job):
            log.info("A private answer came after the bot had stopped.")


def private_message(said: Prose | Card) -> dict[str, Any]:
    """Return a message as Slack wants it that only one person sees."""
    words = {"text": said.text, "blocks": said.blocks} if isinstance(said, Card) else {"text": mrkdwn(said)}
    return {**words, "response_type": "ephemeral"}


def _send(url: str, said: dict[str, Any]) -> None:
    """Send a sentence now; if Slack fails at once, it is sent again. What does not arrive then is only logged."""
    for left in reversed(range(1 + TRIES)):
        try:
            status = _post(url, said)
        except requests.Timeout:
            log.warning("A private answer did not arrive in time.")
            return
        except (requests.RequestException, ValueError) as error:  # ValueError: not every odd address is the library's
            fault = f"A private answer did not arrive: {type(error).__name__}."
        else:
            if status == 200:
                return
            fault = f"A private answer was refused: status {status}."
            if status < 500:
                break
        if left:
            time.sleep(PAUSE)
    log.warning(fault)


def _post(url: str, said: dict[str, Any]) -> int:
    """Return the status. An answer that leads elsewhere is not followed, and nothing of it is read."""
    body = {**said, "replace_original": False}
    with (
        session() as once,
        once.post(url, json=body, timeout=DEADLINE, allow_redirects=False, stream=True) as answer,
    ):
        return answer.status_code
