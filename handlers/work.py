"""Carries out what was acknowledged, in lanes where no queue delays the brake."""

import logging
import time
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from functools import partial

from bot.domain.backoff import Backoff
from bot.domain.commands.request import ROLLBACK, Request
from bot.domain.errors import DependencyError, StoreError, UserError
from bot.domain.prose import Prose, sentence
from bot.domain.rollout import Entry
from bot.domain.verbs.registry import verb_of, verbs
from bot.engine.lane import Lane
from bot.engine.store_port import Became, Store
from handlers import replies
from handlers.backend import Doer, Others, nobody_else
from handlers.card_links import CardLinks
from handlers.choices import refused
from handlers.errors import new_ref
from handlers.people import People
from handlers.private import Private
from handlers.rollback_without_redis import RollbackWithoutRedis

log = logging.getLogger(__name__)

LANE, BRAKE_LANE = 16, 4
BRAKE_BACKOFF = Backoff(timedelta(seconds=2), timedelta(seconds=5))
BACKOFF = Backoff(timedelta(seconds=2), timedelta(seconds=15))

KNOWN_MOST = 10_000


class Work:
    """A lane for each brake, and one for the rest; everything in them is in the inbox too, so nothing is lost."""

    def __init__(
        self,
        engine: Doer,
        store: Store,
        people: People,
        private: Private,
        brake: RollbackWithoutRedis,
        links: CardLinks,
        others: Others = nobody_else,
    ) -> None:
        self._engine, self._store, self._people, self._private = engine, store, people, private
        self._brake, self._links, self._others = brake, links, others
        self._lane, self._looks = Lane("work", LANE), Lane("look", BRAKE_LANE)
        self._brake_lanes = {verb.name: Lane(verb.name, BRAKE_LANE) for verb in verbs() if verb.is_brake}
        self._held_up: dict[
            str, tuple[int, float]
        ] = {}  # by delivery: failures in a row, and when it may be tried again

    def begin(self, request: Request) -> None:
        """Start a request that was just acknowledged."""
        self._put(request, fresh=True)

    def brake(self, request: Request, store: StoreError) -> None:
        """Start a roll back that could not be kept, because the store failed."""
        self._brake.roll_back(request, store)

    def has_braked(self, delivery: str) -> bool:
        """Say whether such a roll back was started before; the inbox does not know it again."""
        return self._brake.has_taken(delivery)

    def resume(self, requests: Iterable[Request]) -> None:
        """Start requests from the inbox; people were told that these are kept."""
        for request in requests:
            if self._held_up.get(request.delivery, (0, 0.0))[1] <= time.monotonic():
                self._put(request, fresh=False)

    def close(self) -> None:
        """Take no more and wait for what runs; what waits in line stays in the inbox."""
        lanes = (*self._brake_lanes.values(), self._lane)
        for lane in lanes:
            lane.stop_line()
        for lane in lanes:
            lane.close()
        self._looks.close()
        self._links.close()
        self._brake.close()

    def _put(self, request: Request, *, fresh: bool) -> None:
        """Start it, unless it runs already or the lane is closed; then the inbox keeps it."""
        lane = self._brake_lanes.get(request.command.verb, self._lane)
        lane.take(partial(self._run, request, fresh=fresh), key=request.delivery)

    def _run(self, request: Request, *, fresh: bool) -> None:
        try:
            self._follow_up(request, self._do(request))
            self._people.keep_names()
        except UserError as error:
            log.info("%s by %s was refused: %s", request.command.verb, request.by, error)
            self._private.say(request.reply_to, refused(error, others=self._others))
        except StoreError as error:
            self._do_without_store(request, error, fresh=fresh)
        except DependencyError as error:
            self._keep(request, error, fresh=fresh)
        except Exception as error:
            ref, again = new_ref(), self._hold_up(request) > 1
            told = error if not again else None
            log.error("%s by %s broke, ref %s: %r", request.command.verb, request.by, ref, error, exc_info=told)
            if fresh:
                self._private.say(request.reply_to, replies.mishap(error, ref))

    def _do(self, request: Request) -> Entry | None:
        try:
            is_checked = self._people.admit(request)
        except UserError as error:
            if not self._store.drop(request.delivery, Became(refusal=str(error))):
                return None  # somebody else has answered it
            raise
        return self._engine.carry_out(replace(request, is_checked=is_checked))

    def _follow_up(self, request: Request, entry: Entry | None) -> None:
        if entry is None:
            return
        if request.command.verb == ROLLBACK:
            self._looks.take(partial(self._tell, request, entry))  # the next roll back waits for no count of pods
        else:
            self._tell(request, entry)

    def _tell(self, request: Request, entry: Entry) -> None:
        sees_it = request.origin.sees_cards_of(entry.rollout.channel)
        looked = sentence(self._look(request, entry)) or _done(request, entry)
        if said := looked if sees_it else replies.elsewhere(entry, looked):
            self._private.say(request.reply_to, said)
        self._links.follow(request, entry)

    def _look(self, request: Request, entry: Entry) -> str:
        try:
            return self._engine.look(entry, request.command.verb)
        except Exception:  # it is done, so there is nothing to try again
            log.exception("%s by %s is done, but the look at the pools broke.", request.command.verb, request.by)
            return ""

    def _do_without_store(self, request: Request, error: StoreError, *, fresh: bool) -> None:
        if request.command.verb == ROLLBACK:
            self._hold_up(request)
            self._brake.roll_back_kept(request, error)
        else:
            self._keep(request, error, fresh=fresh)

    def _keep(self, request: Request, error: DependencyError, *, fresh: bool) -> None:
        ref, again = new_ref(), self._hold_up(request) > 1
        log.log(
            logging.WARNING if again else logging.ERROR,
            "%s by %s is kept, ref %s: %s",
            request.command.verb,
            request.by,
            ref,
            error,
            exc_info=None if again else error,
        )
        if fresh:
            self._private.say(request.reply_to, replies.kept(error, ref))

    def _hold_up(self, request: Request) -> int:
        """Leave a request alone for a while, longer after every failure in a row; return how many there were."""
        if len(self._held_up) >= KNOWN_MOST:
            self._held_up.clear()
        failures = self._held_up.get(request.delivery, (0, 0.0))[0] + 1
        backoff = BRAKE_BACKOFF if verb_of(request.command.verb).is_brake else BACKOFF
        self._held_up[request.delivery] = (failures, time.monotonic() + backoff.wait(failures).total_seconds())
        return failures


def _done(request: Request, entry: Entry) -> Prose:
    """Answer a roll back that is on the route, if it was typed, or if another person was quicker.

    Whoever presses the button of the card looks at the card.
    """
    if request.command.verb != ROLLBACK or not entry.is_applied:
        return Prose()
    if entry.rollout.by != request.by:
        return replies.rolled_back_already(entry.rollout)
    looks_at_card = request.turn is not None and request.origin.sees_cards_of(entry.rollout.channel)
    return Prose() if looks_at_card else replies.rolled_back(entry)
