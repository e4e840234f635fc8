"""The intake of commands and clicks: it answers questions at once, and keeps everything else and carries it out."""

import logging

from bot.config.policy import Policy
from bot.domain.commands.origin import Origin
from bot.domain.commands.request import ROLLBACK, STATUS, Command, Request
from bot.domain.errors import StoreError
from bot.domain.operation import is_operation_id
from bot.domain.prose import Prose, joined
from bot.domain.sentences.operations import detail, line
from bot.domain.verbs.declaration import Kind
from bot.domain.verbs.registry import verb_of
from bot.engine.ports import Clock
from handlers import replies
from handlers.backend import Inbox, OperationReader, Reader
from handlers.inquiries import Inquiries
from handlers.work import Work

log = logging.getLogger(__name__)


class Intake:
    """Answers with one private sentence; it asks only memory and Redis, so it answers within a second."""

    def __init__(
        self,
        inbox: Inbox,
        reader: Reader,
        operations: OperationReader,
        work: Work,
        inquiries: Inquiries,
        policy: Policy,
        clock: Clock,
    ) -> None:
        self._inbox, self._reader, self._operations = inbox, reader, operations
        self._work, self._inquiries = work, inquiries
        self._policy, self._clock = policy, clock

    def hear(
        self, command: Command, *, by: str, origin: Origin, delivery: str, reply_to: str, turn: int | None = None
    ) -> Prose:
        """Answer a question, or keep a request and start it. Raises UserError, StoreError."""
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
            case Kind.QUESTION:
                return self._answer(request)
            case Kind.INQUIRY:
                return self._inquiries.begin(request)
            case _:
                return self._take_in(request)

    def _answer(self, request: Request) -> Prose:
        """Answer a question; it changes nothing, so there is nothing to confirm if Redis fails."""
        try:
            return self._answered(request)
        except StoreError as error:
            log.warning("`%s` was not answered: %s", request.command.verb, error)
            return replies.unanswered(error)

    def _answered(self, request: Request) -> Prose:
        subject, channel = request.command.subject, request.origin.channel
        if is_operation_id(subject):
            return detail(self._operations.find(subject, channel))
        reply = self._reader.answer(request, self._policy.command)
        told = replies.answer(reply, self._policy.access)
        if subject or request.command.verb != STATUS:
            return told
        lines = list(map(line, self._operations.under_way(channel)))
        return joined("\n", lines if lines and not reply.rollouts else [told, *lines])

    def _take_in(self, request: Request) -> Prose:
        """Keep a request and start it; a roll back does not need the store for that."""
        try:
            is_new = self._inbox.receive(request)
        except StoreError as error:
            if request.command.verb != ROLLBACK:
                raise
            self._work.brake(request, error)
            return replies.braking(error, request.command)
        if is_new:
            self._work.begin(request)
        return replies.accepted(request.command)
