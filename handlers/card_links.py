"""Links to cards, for people who typed a command: built from what the board has posted, without a call to Slack."""

import re
from collections.abc import Callable
from functools import partial
from threading import Event
from typing import Final

from bot.domain.commands.request import Request
from bot.domain.errors import DependencyError
from bot.domain.rollout import Entry
from bot.engine.lane import Lane
from bot.engine.store_port import Shown
from handlers import replies
from handlers.private import Private
from handlers.slack import Slack

THREADS: Final = 4
EVERY: Final = 0.25
"""Seconds between two looks for a card that is still to be posted."""
LOOKS: Final = 40

_TS: Final = re.compile(r"[0-9]{1,12}\.[0-9]{1,9}")


class CardLinks:
    """Tells people where the card is; in its own lane, because the card of a start comes later than the answer."""

    def __init__(self, shown: Callable[[str], Shown | None], slack: Slack, private: Private) -> None:
        """Keep the parts; ``shown`` returns what Slack shows of a rollout."""
        self._shown, self._slack, self._private = shown, slack, private
        self._lane, self._ending = Lane("card link", THREADS), Event()

    def follow(self, request: Request, entry: Entry) -> None:
        """Send the link when there is a card, to somebody who typed: whoever pressed a button looks at the card."""
        if request.turn is None and request.reply_to and entry.rollout.channel.strip():
            self._lane.take(partial(self._send, request, entry))

    def close(self) -> None:
        """Take no more, and wait for no card."""
        self._ending.set()
        self._lane.stop_line()
        self._lane.close()

    def _send(self, request: Request, entry: Entry) -> None:
        for _ in range(LOOKS):
            if address := self._address(entry.rollout.id):
                self._private.say(request.reply_to, replies.see_card(address, entry))
                return
            if self._ending.wait(EVERY):
                return

    def _address(self, rollout_id: str) -> str:
        """Return the card's address; empty if it is not posted, or nobody knows."""
        try:
            shown = self._shown(rollout_id)
        except DependencyError:
            return ""
        workspace = self._slack.workspace
        if shown is None or not workspace or not _TS.fullmatch(shown.ts):
            return ""
        return f"{workspace}archives/{shown.channel}/p{shown.ts.replace('.', '')}"
