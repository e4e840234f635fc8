"""The intake of commands and clicks: it answers questions at once, and keeps everything else and carries it out."""

import logging

from bot.domain.commands.origin import Origin
from bot.domain.commands.request import HELP, ROLLBACK, Command, Request
from bot.domain.errors import StoreError
from bot.domain.prose import Prose
from bot.domain.verbs.declaration import Kind
from bot.domain.verbs.registry import verb_of
from bot.engine.ports import Clock
from handlers import replies
from handlers.backend import Inbox
from handlers.inquiries import Inquiries
from handlers.people import People
from handlers.questions import Questions
from handlers.work import Work

log = logging.getLogger(__name__)


class Intake:
    """Answers with one private sentence; it asks only memory and Redis, so it answers within a second."""

    def __init__(
        self,
        inbox: Inbox,
        questions: Questions,
        people: People,
        work: Work,
        inquiries: Inquiries,
        clock: Clock,
    ) -> None:
        self._inbox, self._questions, self._people = inbox, questions, people
        self._work, self._inquiries, self._clock = work, inquiries, clock

    def hear(
        self, command: Command, *, by: str, origin: Origin, delivery: str, reply_to: str, turn: int | None = None
    ) -> Prose:
        """Answer a question, or keep a request and start it. Raises UserError, StoreError.

        Only people whom Slack has lately called full members get an answer at once; for others, Slack is asked first.
        """
        request = Request(
            command=command,
            by=by,
            origin=origin,
            delivery=delivery,
            at=self._clock.now(),
            turn=turn,
            reply_to=reply_to,
        )
        match verb_of(command.verb).kind:
            case Kind.QUESTION if command.verb == HELP or self._people.may_read(by):
                return self._answer(request)
            case Kind.QUESTION | Kind.INQUIRY:
                return self._inquiries.begin(request)
            case _:
                return self._take_in(request)

    def _answer(self, request: Request) -> Prose:
        """Answer a question; it changes nothing, so there is nothing to confirm if Redis fails."""
        try:
            return self._questions.answer(request)
        except StoreError as error:
            log.warning("`%s` was not answered: %s", request.command.verb, error)
            return replies.unanswered(error)

    def _take_in(self, request: Request) -> Prose:
        """Keep a request and start it; a roll back does not need the store for that."""
        try:
            is_new = not self._work.has_braked(request.delivery) and self._inbox.receive(request)
        except StoreError as error:
            if request.command.verb != ROLLBACK:
                raise
            self._work.brake(request, error)
            return replies.braking(error, request.command)
        if is_new:
            self._work.begin(request)
        return replies.accepted(request.command)
