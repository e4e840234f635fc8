"""The intake where commands and clicks arrive: questions are answered there, everything else is taken in."""

import logging
from collections.abc import Callable, Sequence

from bot.config.policy import Policy
from bot.domain.commands.request import Command, Request, Verb
from bot.domain.errors import RolloutBotError, StoreError, UserError
from bot.domain.operation import is_operation_id
from bot.domain.rollout import Entry
from bot.engine.ports import Clock
from handlers import replies
from handlers.backend import Inbox, OperationReader, Reader
from handlers.operation_card import operation_detail, operation_line
from handlers.work import Work

log = logging.getLogger(__name__)


class Intake:
    """Answers with one private sentence; only memory and Redis are asked, so it answers within a second."""

    def __init__(
        self, inbox: Inbox, reader: Reader, operations: OperationReader, work: Work, policy: Policy, clock: Clock
    ) -> None:
        self._inbox, self._reader, self._operations, self._work = inbox, reader, operations, work
        self._policy, self._clock = policy, clock
        self._questions: dict[Verb, Callable[[Command, str], str]] = {
            Verb.HELP: self._help,
            Verb.STATUS: self._status,
            Verb.WHY: self._why,
        }

    def hear(
        self, command: Command, *, by: str, channel: str, delivery: str, reply_to: str, turn: int | None = None
    ) -> str:
        """GateAnswer a question, or take a request in and set it to work. Raises UserError, StoreError."""
        question = None if command.operation else self._questions.get(command.verb)
        if question is not None:
            return self._answer(question, command, channel)
        request = Request(
            command=command,
            by=by,
            channel=channel,
            delivery=delivery,
            at=self._clock.now(),
            turn=turn,
            reply_to=reply_to,
        )
        return self._take_in(request)

    def _answer(self, question: Callable[[Command, str], str], command: Command, channel: str) -> str:
        """GateAnswer a question; one that Redis leaves open has changed nothing, so there is nothing to confirm."""
        try:
            return question(command, channel)
        except StoreError as error:
            log.warning("`%s` was not answered: %s", command.verb.value, error)
            return replies.unanswered(error)

    def _take_in(self, request: Request) -> str:
        """Keep a request and set it to work; a roll back does not need the store for that."""
        try:
            is_new = self._inbox.receive(request)
        except StoreError as error:
            if request.command.verb is not Verb.ROLLBACK:
                raise
            self._work.brake(request, error)
            return replies.braking(error)
        if is_new:
            self._work.begin(request)
        return replies.accepted(request.command)

    def meant(self, rollout_id: str, channel: str) -> Entry | None:
        """Return the rollout of a button, to name it; None where it cannot be read now."""
        try:
            return self._reader.find(rollout_id, channel)
        except RolloutBotError:
            return None

    def _help(self, command: Command, channel: str) -> str:
        return replies.help_text(self._policy.command)

    def _status(self, command: Command, channel: str) -> str:
        if is_operation_id(command.subject):
            return operation_detail(self._operations.find(command.subject, channel))
        entries = [self._reader.find(command.subject, channel)] if command.subject else self._of_channel(channel)
        under_way = [] if command.subject else self._operations.under_way(channel)
        lines = [operation_line(operation) for operation in under_way]
        if lines and not entries:
            return "\n".join(lines)
        return "\n".join([replies.status(entries, self._policy.access, command=self._policy.command), *lines])

    def _of_channel(self, channel: str) -> Sequence[Entry]:
        """Return what runs in this channel, else the last that ran; those of other channels are not told here."""
        try:
            return self._reader.entries(channel) or [self._reader.find("", channel)]
        except UserError:
            return []

    def _why(self, command: Command, channel: str) -> str:
        if is_operation_id(command.subject):
            return operation_detail(self._operations.find(command.subject, channel))
        return replies.why(self._reader.find(command.subject, channel), self._policy.access)
