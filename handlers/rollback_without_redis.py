"""Roll backs while Redis is away: from the record on the route, with a message in the channel instead of a card."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum, auto
from functools import partial

from bot.domain.commands.request import Request
from bot.domain.errors import DependencyError, StoreError, UserError
from bot.domain.prose import Prose
from bot.domain.rollout import Rollout
from bot.engine.lane import Lane
from handlers import replies
from handlers.backend import Brakes, Others, RouteRolledBack, nobody_else
from handlers.cards import Card
from handlers.choices import refused
from handlers.errors import new_ref
from handlers.mrkdwn import mrkdwn, spoken
from handlers.people import People
from handlers.private import Private
from handlers.slack import Slack

log = logging.getLogger(__name__)

LANE = 4
KNOWN_MOST = 10_000


@dataclass(frozen=True, slots=True)
class Telling:
    """How to report a roll back that was not done: it was refused or failed, after the store had failed."""

    refused: Callable[[UserError, Others], Prose | Card]
    failed: Callable[[DependencyError, StoreError], Prose]


AT_ONCE = Telling(refused=lambda error, others: refused(error, others=others), failed=replies.not_braked)
KEPT = Telling(
    refused=lambda error, others: refused(error, replies.refused_yet(), others=others), failed=replies.not_braked_yet
)


class Heard(Enum):
    """What an asker has heard of a request that is tried again: each is said once, and after WELL no failure is."""

    FAILED = auto()
    REFUSED = auto()
    WELL = auto()


class RollbackWithoutRedis:
    """A lane of its own. Its requests may be stored nowhere, so each is done at once or not at all, and reported."""

    def __init__(
        self, engine: Brakes, people: People, slack: Slack, private: Private, others: Others = nobody_else
    ) -> None:
        self._engine, self._people, self._slack, self._private = engine, people, slack, private
        self._others = others
        self._heard: dict[str, frozenset[Heard]] = {}  # by delivery
        self._taken: set[str] = set()  # deliveries that are stored nowhere
        self._lane = Lane("brake", LANE)

    def roll_back(self, request: Request, store: StoreError) -> None:
        """Roll back in the background; the inbox may not hold the request."""
        if len(self._taken) >= KNOWN_MOST:
            self._taken.clear()
        self._taken.add(request.delivery)
        if not self._lane.take(partial(self._pull, request, store, AT_ONCE)):
            # Closed: the connection to Slack is ending too, and nobody else has the request.
            self._pull(request, store, AT_ONCE)

    def roll_back_kept(self, request: Request, store: StoreError) -> None:
        """Roll back here and now a request that stays in the inbox, and so is tried again whatever comes of it."""
        self._pull(request, store, KEPT)

    def has_taken(self, delivery: str) -> bool:
        """Say whether this process has taken a request that may be stored nowhere: Slack may deliver it again later."""
        return delivery in self._taken

    def close(self) -> None:
        """Wait for what is under way."""
        self._lane.close()

    def _pull(self, request: Request, store: StoreError, words: Telling) -> None:
        try:
            is_checked = self._people.admit(request)
            braked = self._engine.brake(request)
        except UserError as error:
            self._say_once(request, Heard.REFUSED, words.refused(error, self._others))
        except DependencyError as error:
            self._fail(request, words.failed(error, store))
        except Exception as error:
            self._fail(request, replies.mishap(error, new_ref()))
        else:
            self._tell(replace(request, is_checked=is_checked), braked, store)

    def _fail(self, request: Request, said: Prose) -> None:
        log.exception("A roll back without Redis failed: %s", said)
        self._say_once(request, Heard.FAILED, said)

    def _say_once(self, request: Request, what: Heard, said: Prose | Card) -> None:
        if not self._heard.get(request.delivery, frozenset()) & {what, Heard.WELL}:
            self._hears(request, what)
            self._private.say(request.reply_to, said)

    def _hears(self, request: Request, what: Heard) -> None:
        if len(self._heard) >= KNOWN_MOST:
            self._heard.clear()
        self._heard[request.delivery] = self._heard.get(request.delivery, frozenset()) | {what}

    def _tell(self, request: Request, braked: RouteRolledBack, store: StoreError) -> None:
        """Tell the channel of the rollout, and who asked if that was elsewhere or the channel cannot be told."""
        if not braked.written:
            self._say_once(request, Heard.WELL, replies.rolled_back_already(braked.rollout))
            return
        self._hears(request, Heard.WELL)
        channel, said = (
            braked.rollout.channel or request.origin.channel,
            replies.braked(braked, store, is_checked=request.is_checked),
        )
        if not self._post(channel, braked.rollout, said) or not request.origin.sees_cards_of(channel):
            self._private.say(request.reply_to, said)

    def _post(self, channel: str, rollout: Rollout, said: Prose) -> bool:
        if not channel:
            return False
        mark = f"brake:{rollout.id}:{rollout.revision}"
        text = {"type": "mrkdwn", "text": mrkdwn(said), "verbatim": True}
        block = {"type": "section", "block_id": mark, "text": text}
        try:
            self._slack.post(channel, Card(text=spoken(said), blocks=[block]))
        except DependencyError as error:
            log.warning("A roll back without Redis was done, but the channel was not told: %s", error)
            return False
        return True
