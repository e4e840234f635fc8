"""Inquiries: acknowledged at once, asked in a lane of their own, answered in private when the answer is known."""

import logging
from concurrent.futures import Future, ThreadPoolExecutor, wait

from bot.config.policy import Policy
from bot.domain.commands.request import Request
from bot.domain.errors import DependencyError, UserError
from bot.domain.prose import Prose
from bot.domain.verbs.registry import verb_of
from handlers import replies
from handlers.backend import Reader
from handlers.errors import new_ref
from handlers.people import People
from handlers.private import Private

log = logging.getLogger(__name__)

LANE = 8
GRACE = 1.0
"""Seconds in which an answer may still come when the bot ends."""


class Inquiries:
    """A lane that nothing else waits in. Each inquiry leaves it at its deadline, so all that follow keep theirs."""

    def __init__(self, reader: Reader, people: People, private: Private, policy: Policy) -> None:
        self._reader, self._people, self._private, self._policy = reader, people, private, policy
        self._lane = ThreadPoolExecutor(LANE, thread_name_prefix="inquiry-lane")
        self._open: dict[Future[None], Request] = {}

    def begin(self, request: Request) -> Prose:
        """Set an inquiry to work, and say until when its answer comes."""
        try:
            future = self._lane.submit(self._run, request)
        except RuntimeError:  # closed: nobody keeps a question for the next bot
            return replies.not_looking()
        self._open[future] = request
        future.add_done_callback(lambda done: self._open.pop(done, None))
        return replies.looking(verb_of(request.command.verb).within)

    def close(self) -> None:
        """Take nothing new, and tell whoever would wait in vain."""
        waiting = dict(self._open)
        self._lane.shutdown(wait=False)
        for future in wait(waiting, GRACE).not_done:
            self._private.say(waiting[future].reply_to, replies.not_looking())

    def _run(self, request: Request) -> None:
        self._private.say(request.reply_to, self._answer(request))

    def _answer(self, request: Request) -> Prose:
        try:
            self._people.admit(request)
            answer = self._reader.answer(request, self._policy.command)
        except UserError as error:
            log.info("%s by %s was refused: %s", request.command.verb, request.by, error)
            return replies.mishap(error, "")
        except DependencyError as error:
            log.warning("`%s` was not answered: %s", request.command.verb, error)
            return replies.not_found_out(error)
        except Exception as error:
            ref = new_ref()
            log.exception("%s by %s broke, ref %s.", request.command.verb, request.by, ref)
            return replies.mishap(error, ref)
        return replies.answer(answer, self._policy.access)
