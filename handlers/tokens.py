"""Slack's tokens: what to do when Slack no longer takes one, and a look now and then whether it does."""

import logging
from threading import Event
from typing import Final

from slack_sdk.errors import SlackApiError

from handlers.slack import TOKEN_WORDS, Fault, Slack, SlackError, refusal

log = logging.getLogger(__name__)

ASK_EVERY: Final = 60.0
"""Seconds until Slack is asked again whether it takes the bot's token."""

_APP_TOKEN: Final = (
    "Slack does not take `SLACK_APP_TOKEN` (`{}`). Make an App-Level Token with the scope `connections:write` in your "
    "Slack app, set it, and restart the bot."
)
_APP_TOKEN_WORDS: Final = TOKEN_WORDS | {"missing_scope"}
_TOO_MANY: Final = (
    "Slack allows no further connection of this app (`{}`): end other installs that use it, or give each an app of its "
    "own."
)


_REFUSED: Final = (
    "Slack does not let this app open a Socket Mode connection (`{}`). Ask whoever administers your Slack workspace or "
    "organisation."
)


def app_token_refusal(error: BaseException) -> str:
    """Say why Slack opens no Socket Mode connection and what to do; empty if it has not refused the app."""
    if not isinstance(error, SlackApiError):
        return ""
    said = refusal(error)
    if said.fault not in (Fault.REFUSED, Fault.CHANNEL):  # nothing here is about a channel
        return ""
    if said.error == "too_many_websockets":
        return _TOO_MANY.format(said.error)
    return (_APP_TOKEN if said.error in _APP_TOKEN_WORDS else _REFUSED).format(said.error)


class BotToken:
    """Asks Slack who we are; ``refusal`` is its no, as a sentence, and empty while it takes the token."""

    def __init__(self, slack: Slack) -> None:
        self._slack = slack
        self.refusal = ""

    def watch(self, ending: Event) -> None:
        """Ask at once, and every minute until the process ends."""
        while True:
            self.ask()
            if ending.wait(ASK_EVERY):
                return

    def ask(self) -> None:
        """Ask once, and log what is new. While Slack is away, its last word counts."""
        try:
            self._slack.identity(again=True)
        except SlackError as error:
            if error.fault is Fault.REFUSED:
                self._find(str(error))
        else:
            self._find("")

    def _find(self, refusal: str) -> None:
        had, self.refusal = self.refusal, refusal
        if refusal and refusal != had:
            log.error("%s", refusal)
        elif had and not refusal:
            log.info("Slack takes the bot's token again.")
