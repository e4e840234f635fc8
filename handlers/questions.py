"""Answers to questions and inquiries, in one private message each."""

from bot.config.policy import Policy
from bot.domain.commands.request import STATUS, Request
from bot.domain.operation import is_operation_id
from bot.domain.prose import Prose, joined
from bot.domain.sentences.operations import detail, line
from handlers import replies
from handlers.backend import OperationReader, Others, Reader, nobody_else


class Questions:
    """Answers from the engine and from the operations. It changes nothing."""

    def __init__(
        self, reader: Reader, operations: OperationReader, policy: Policy, others: Others = nobody_else
    ) -> None:
        self._reader, self._operations, self._policy, self._others = reader, operations, policy, others

    def answer(self, request: Request) -> Prose:
        """Answer a question. Raises UserError, DependencyError."""
        subject, channel = request.command.subject, request.origin.channel
        if is_operation_id(subject):
            return detail(self._operations.find(subject, channel))
        reply = self._reader.answer(request, self._policy.command)
        told = replies.answer(reply, self._policy.access)
        if subject or request.command.where or request.command.verb != STATUS:
            return told
        lines = list(map(line, self._operations.under_way(channel)))
        if not (lines or reply.rollouts):
            return joined(" ", (told, self._others()))
        return joined("\n", lines if lines and not reply.rollouts else [told, *lines])
