"""Does what was acknowledged: each request once more as itself, in a lane where no queue delays the brake."""

import logging
import random
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

from bot.domain.commands.request import ROLLBACK, Request
from bot.domain.errors import DependencyError, StoreError, UserError
from bot.domain.prose import Prose, joined, sentence
from bot.domain.rollout import Entry
from bot.domain.verbs.registry import verb_of, verbs
from bot.engine.ports import Became, Store
from handlers import replies
from handlers.backend import Doer
from handlers.errors import new_ref
from handlers.people import People
from handlers.private import Private
from handlers.rollback_without_redis import RollbackWithoutRedis

log = logging.getLogger(__name__)

LANE, BRAKE_LANE = 16, 4
FIRST_AT_MOST, AT_MOST = 5.0, 15.0
"""Seconds until what a dependency holds up is tried again, at the most; each try doubles them."""

KNOWN_MOST = 10_000


class Work:
    """A lane for each brake, and one for the rest; what is in them is in the inbox too, so nothing is lost."""

    def __init__(
        self, engine: Doer, store: Store, people: People, private: Private, brake: RollbackWithoutRedis
    ) -> None:
        self._engine, self._store, self._people, self._private = engine, store, people, private
        self._brake = brake
        self._lane = ThreadPoolExecutor(LANE, thread_name_prefix="work")
        self._brake_lanes = {
            verb.name: ThreadPoolExecutor(BRAKE_LANE, thread_name_prefix=verb.name) for verb in verbs() if verb.is_brake
        }
        self._looks = ThreadPoolExecutor(BRAKE_LANE, thread_name_prefix="look")
        self._busy: set[str] = set()
        self._held_up: dict[
            str, tuple[int, float]
        ] = {}  # by delivery: failures in a row, and when it may be tried again
        self._lock = Lock()

    def begin(self, request: Request) -> None:
        """Take up a request that was just acknowledged."""
        self._put(request, fresh=True)

    def brake(self, request: Request, store: StoreError) -> None:
        """Take up a roll back that could not be kept, because the store failed."""
        self._brake.pull(request, store)

    def resume(self, requests: Iterable[Request]) -> None:
        """Take up requests that were found in the inbox, brakes first; people were told that these are kept."""
        for request in sorted(requests, key=_rank):
            if self._held_up.get(request.delivery, (0, 0.0))[1] <= time.monotonic():
                self._put(request, fresh=False)

    def close(self) -> None:
        """Take nothing new and wait for what runs; what waits in line stays in the inbox."""
        lanes = (*self._brake_lanes.values(), self._lane)
        for lane in lanes:
            lane.shutdown(wait=False, cancel_futures=True)
        for lane in lanes:
            lane.shutdown(wait=True)
        self._looks.shutdown(wait=True)
        self._brake.close()

    def _put(self, request: Request, *, fresh: bool) -> None:
        with self._lock:
            if request.delivery in self._busy:
                return
            self._busy.add(request.delivery)
        try:
            lane = self._brake_lanes.get(request.command.verb, self._lane)
            lane.submit(self._run, request, fresh=fresh)
        except RuntimeError:  # closed: the inbox keeps it
            self._done(request)

    def _run(self, request: Request, *, fresh: bool) -> None:
        try:
            self._follow_up(request, self._do(request))
            self._people.keep_names()
        except UserError as error:
            log.info("%s by %s was refused: %s", request.command.verb, request.by, error)
            self._private.say(request.reply_to, replies.mishap(error, ""))
        except StoreError as error:
            self._do_without_store(request, error, fresh=fresh)
        except DependencyError as error:
            self._keep(request, error, fresh=fresh)
        except Exception as error:
            ref = new_ref()
            log.exception("%s by %s broke, ref %s.", request.command.verb, request.by, ref)
            self._hold_up(request)
            if fresh:
                self._private.say(request.reply_to, replies.mishap(error, ref))
        finally:
            self._done(request)

    def _do(self, request: Request) -> Entry | None:
        try:
            self._people.admit(request)
        except UserError as error:
            if not self._store.drop(request.delivery, Became(refusal=str(error))):
                return None  # somebody else has answered it
            raise
        return self._engine.carry_out(request)

    def _follow_up(self, request: Request, entry: Entry | None) -> None:
        if entry is None:
            return
        if request.command.verb == ROLLBACK:
            self._looks.submit(self._tell, request, entry)  # the next roll back does not wait for a count of pods
        else:
            self._tell(request, entry)

    def _tell(self, request: Request, entry: Entry) -> None:
        elsewhere = Prose() if request.origin.sees_cards_of(entry.rollout.channel) else replies.elsewhere(entry)
        if said := joined(" ", (sentence(self._look(request, entry)), elsewhere)):
            self._private.say(request.reply_to, said)

    def _look(self, request: Request, entry: Entry) -> str:
        try:
            return self._engine.look(entry, request.command.verb)
        except Exception:  # it is done, and so nothing to be tried again
            log.exception("%s by %s is done, but the look at the pools broke.", request.command.verb, request.by)
            return ""

    def _do_without_store(self, request: Request, error: StoreError, *, fresh: bool) -> None:
        if request.command.verb == ROLLBACK:
            self._hold_up(request)
            self._brake.pull_kept(request, error)
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
        """Leave a request alone for a while, longer with every failure in a row; return how many there were."""
        if len(self._held_up) >= KNOWN_MOST:
            self._held_up.clear()
        failures = self._held_up.get(request.delivery, (0, 0.0))[0] + 1
        most = FIRST_AT_MOST if verb_of(request.command.verb).is_brake else AT_MOST
        wait = min(most, 1.0 * 2 ** min(failures, 10)) * random.uniform(0.5, 1)
        self._held_up[request.delivery] = (failures, time.monotonic() + wait)
        return failures

    def _done(self, request: Request) -> None:
        with self._lock:
            self._busy.discard(request.delivery)


def _rank(request: Request) -> int:
    """Say how soon a request has its turn; those of the same rank keep their order."""
    verb = verb_of(request.command.verb)
    return 0 if verb.name == ROLLBACK else 1 if verb.is_brake else 2
