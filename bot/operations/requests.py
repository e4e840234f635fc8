"""What people ask of operations: to begin one, or to cancel one. The inbox and the rights are those of all requests."""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final

from bot.domain.commands.request import OperationWords, Request
from bot.domain.comparison import is_open, voted
from bot.domain.decisions.moves import Moment
from bot.domain.decisions.of_operations import approve, begin, cancel, take_answer
from bot.domain.errors import DependencyError, SlotTakenError, StaleError, UsageError
from bot.domain.operation import NewOperation, Operation, OperationPhase, is_operation_id, operation_id
from bot.engine.apply import new_decision
from bot.engine.operation_ports import Operations, SaveOperation
from bot.engine.store_port import Became, Saved
from bot.operations.executor import Executor, Tools
from bot.operations.registry import Registry

LATE_AFTER: Final = timedelta(minutes=5)
"""Nothing begins later than this after the request: the person may have gone home. A cancel is never late."""

REMEMBERED: Final = timedelta(minutes=10)
"""Redis remembers a delivery for a bit longer than this."""

TRIES: Final = 20


class OperationRequests:
    """Decides requests that are about an operation."""

    def __init__(
        self,
        registry: Registry,
        operations: Operations,
        tools: Tools,
        *,
        receive: Callable[[Request], bool],
        drop: Callable[[str, Became], bool],
    ) -> None:
        """Keep the parts; ``receive`` and ``drop`` are the inbox's."""
        self.registry, self._operations, self._tools = registry, operations, tools
        self._clock = tools.clock
        self._receive, self._drop = receive, drop

    def decide(self, request: Request) -> None:
        """Begin or cancel what a request asks for, unless that is done already.

        Raises UserError (the request is still in the inbox) and DependencyError.
        """
        for attempt in range(TRIES):
            save = self._save_for(request)
            if save is None:
                return
            match self._operations.save(save):
                case Saved.YES | Saved.DECIDED:
                    return
                case Saved.TAKEN:
                    raise self._taken(save.change.after)
                case Saved.FORGOTTEN if self._clock.now() - request.at < REMEMBERED:
                    self._receive(request)
                case Saved.FORGOTTEN:
                    return  # it is so old that somebody else may have decided it
                case _:
                    self._clock.sleep(random.uniform(0, 0.005 * (attempt + 1)))
        raise DependencyError("Too many changes at once.")

    def _save_for(self, request: Request) -> SaveOperation | None:
        """Return the decision that carries a request out; None if that was done in another way."""
        words = request.command.operation
        assert words is not None
        if words.vote:
            return self._vote(request, words)
        if words.kind:
            return self._begin(request, words)
        return self._approve(request) if words.approves else self._cancel(request)

    def _begin(self, request: Request, words: OperationWords) -> SaveOperation | None:
        mine = operation_id(request.delivery, request.at)
        if self._operations.load(mine) is not None:
            self._drop_as_done(request, mine)  # Redis went back to an older state and has the request again
            return None
        self._require_fresh(request, words)
        executor, command = self._executor(words.kind), request.command
        asked = NewOperation(
            kind=words.kind,
            subject=command.subject,
            by=request.by,
            channel=request.origin.channel,
            parameters=words.parameters,
            reason=command.reason,
        )
        begun = executor.begin(asked, self._tools)
        change = begin(
            replace(asked, subject=begun.subject),
            self._moment(request),
            operation_id=mine,
            state=begun.state,
            within=executor.within,
            slot=begun.slot,
        )
        return SaveOperation(change=change, expected=None, request=request.delivery)

    def _cancel(self, request: Request) -> SaveOperation | None:
        operation = self.find(request.command.subject, request.origin.channel)
        if not request.command.subject and is_open(operation):
            hint = f"`cancel {operation.id}` ends it for everybody, and no vote counts."
            raise UsageError(f"Only the vote of `{operation.name}` is under way here.", hint=hint)
        if request.at < operation.started_at:
            newer = f"`{operation.name}` (`{operation.id}`) began after you typed this, so it was not cancelled."
            raise UsageError(newer, hint="Type it again if you mean that one.")
        if operation.phase in (OperationPhase.CANCELLING, OperationPhase.CANCELLED):
            self._drop_as_done(request, operation.id)
            return None
        within = self._executor(operation.kind).undo_within
        change = cancel(operation, request.command.reason, within, self._moment(request))
        return SaveOperation(change=change, expected=operation.decision, request=request.delivery)

    def _approve(self, request: Request) -> SaveOperation:
        operation = self.find(request.command.subject, request.origin.channel)
        if request.turn is not None and request.turn != operation.turn:
            raise StaleError("This button is out of date.", hint="Look at the card.")
        if request.at < operation.since:
            raise StaleError("It asks for something else since you approved.", hint="Look at the card.")
        self._require_fresh(request, OperationWords(approves=True))
        plan, within = self._tools.policy.plan, self._executor(operation.kind).within
        change = approve(operation, within, self._moment(request), requester_may_approve=plan.requester_may_approve)
        return SaveOperation(change=change, expected=operation.decision, request=request.delivery)

    def _vote(self, request: Request, words: OperationWords) -> SaveOperation:
        operation = self.find(request.command.subject, request.origin.channel)
        change = take_answer(operation, voted(operation, words.vote, request.by, request.at), self._moment(request))
        return SaveOperation(change=change, expected=operation.decision, request=request.delivery)

    def find(self, subject: str, channel: str) -> Operation:
        """Return the operation that people mean: by its id or subject, else the channel's only one. Raises UserError.

        What failed is found by its id.
        """
        if is_operation_id(subject):
            if operation := self._operations.load(subject):
                return operation
            raise UsageError(
                f"There is no operation `{subject}`.",
                hint="Another install of the bot may have it. If Redis has lost it, look for what it made, which "
                "carries this id, and ask again.",
            )
        return _only(subject, self.under_way(channel), self.under_way(""))

    def under_way(self, channel: str) -> Sequence[Operation]:
        """Return the operations of a channel that are not over, or of all channels if it is empty."""
        return [each for each in self._operations.under_way() if channel in ("", each.channel)]

    def _executor(self, kind: str) -> Executor:
        executor = self.registry.named(kind)
        if executor is None:
            raise UsageError(f"This bot cannot `{kind}`.", hint="It may be of another version than the one you asked.")
        return executor

    def _drop_as_done(self, request: Request, operation: str) -> None:
        self._drop(request.delivery, Became(operation=operation))

    def _taken(self, wanted: Operation) -> SlotTakenError:
        """Name the operation that holds what another one wants."""
        holder = self._operations.on(wanted.holds)
        other = self._operations.load(holder) if holder else None
        if other is None:
            return SlotTakenError(f"Another operation works on `{wanted.subject}`.", hint="Try again in a moment.")
        hint = f"Wait until it is over, or cancel it: `cancel {other.id}`."
        return SlotTakenError(f"`{other.name}` (`{other.id}`) is {other.phase} already.", hint=hint)

    def _require_fresh(self, request: Request, words: OperationWords) -> None:
        if self._clock.now() - request.at > LATE_AFTER:
            late = f"Nothing was done: I did not get to your `{words.name}` within {LATE_AFTER.seconds // 60} min."
            raise UsageError(late, hint="Type it again if you still want it.")

    def _moment(self, request: Request) -> Moment:
        return Moment(now=self._clock.now(), decision=new_decision(), by=request.by)


def _only(subject: str, here: Sequence[Operation], everywhere: Sequence[Operation]) -> Operation:
    """Return the only operation on a subject, wherever it runs, or the only one here if no subject is named."""
    meant = [each for each in everywhere if each.subject == subject] if subject else here
    if len(meant) == 1:
        return meant[0]
    if not meant:
        what = f"No operation works on `{subject}`." if subject else "No operation is under way here."
        raise UsageError(
            what, hint="Name one by its id, which is on its card. A rollout is stopped by `rollback` or `pause`."
        )
    ids = ", ".join(f"`{each.id}` ({each.name})" for each in meant)
    raise UsageError("Several operations are under way.", hint=f"Name one: {ids}.")
