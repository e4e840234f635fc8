"""Carries operations on, step by step, in the leader.

Every step ends in a compare-and-save on the decision that it began from. So two replicas that take the same step do no
harm: an executor's steps may be repeated, and only one of the two saves. What people decide meanwhile (to cancel) wins
over a running step. So does the deadline, which is checked here and not in the step's thread, so that a step that hangs
does not delay it.
"""

import logging
from datetime import timedelta
from functools import partial
from typing import Final

from bot.domain.agreement import Agreement
from bot.domain.decisions.moves import Moment
from bot.domain.decisions.of_operations import ask_people, fail, finish, go_on, put_question, run_out_of_time, try_again
from bot.domain.errors import DependencyError, RolloutBotError, StoreError, UnreadableError, UserError
from bot.domain.operation import Operation, OperationChange, OperationPhase, is_out_of_time
from bot.engine.apply import new_decision
from bot.engine.lane import Lane
from bot.engine.operation_ports import Operations, SaveOperation
from bot.engine.store_port import Saved
from bot.operations.asking import approvals_needed
from bot.operations.executor import Ask, Done, Executor, Failed, Next, Step, Tools
from bot.operations.registry import Registry

log = logging.getLogger(__name__)

AT_ONCE: Final = 8
"""How many operations take a step at the same time."""

ASKED_FOR: Final = timedelta(hours=24)
"""So long people have to agree, as with a rollout's step."""

MOST_ASKED: Final = 2200
"""So many characters of a question fit onto a card: nobody may approve what he cannot read."""

TOO_LONG: Final = "What it would do is too long for a card, so nobody could approve it here."

NOBODY_KNOWS: Final = "Look at what it has made: the operation's id is on it."


class Runner:
    """Finds what is due, in the thread that calls ``look``, and takes steps in threads of its own."""

    def __init__(self, registry: Registry, operations: Operations, tools: Tools) -> None:
        self._registry, self._operations, self._tools = registry, operations, tools
        self._lane = Lane("operation", AT_ONCE)
        self._left_alone = set[str]()

    def look(self) -> None:
        """End the operations that are out of time, and start the next step of the others that are due."""
        for operation_id in self._operations.claim_due(self._tools.clock.now()):
            try:
                self._look_at(operation_id)
            except UnreadableError as error:
                self._leave(operation_id, str(error))

    def sweep(self) -> None:
        """Let each executor take away what dead operations have left."""
        for executor in self._registry:
            if not self._tools.goes_on():
                return
            try:
                executor.sweep(self._tools)
            except RolloutBotError as error:
                log.warning("what `%s` has left: %s", executor.name, error)

    def close(self) -> None:
        """Start no more steps and wait for those that run; the next process goes on from there."""
        self._lane.stop_line()
        self._lane.close()

    def _look_at(self, operation_id: str) -> None:
        operation = self._operations.load(operation_id)
        if operation is None or operation.is_over:
            return
        executor = self._registry.named(operation.kind)
        if is_out_of_time(operation, self._tools.clock.now()):
            log.warning("operation %s: its deadline has passed", operation_id)
            self._save(operation, run_out_of_time(operation, _left(executor, operation), self._moment()))
        elif operation.phase is OperationPhase.ASKING:
            return  # only people end that, or the deadline
        elif executor is None:
            self._leave(operation_id, f"This program knows no `{operation.kind}`.")
        else:
            # If its last step still runs, the claim brings it back; if the lane is closed, the next process does.
            self._lane.take(partial(self._run, executor, operation), key=operation.id)

    def _leave(self, operation_id: str, reason: str) -> None:
        """Leave it to another version of this program, and say so once."""
        if operation_id not in self._left_alone:
            self._left_alone.add(operation_id)
            log.warning("leaving operation %s alone: %s", operation_id, reason)

    def _run(self, executor: Executor, operation: Operation) -> None:
        """Take steps until one has to wait, somebody else decides, or this process may begin no more."""
        try:
            then = self._unchanged(operation)
            while then is not None and self._tools.goes_on():
                then = self._take(executor, then)
        except StoreError as error:
            log.warning("operation %s: %s Its step is taken again.", operation.id, error)
        except Exception:
            log.exception("operation %s: it broke; I try again", operation.id)

    def _unchanged(self, operation: Operation) -> Operation | None:
        """Return an operation about which nothing was decided while it waited in line."""
        stored = self._operations.load(operation.id)
        return operation if stored is not None and stored.decision == operation.decision else None

    def _take(self, executor: Executor, operation: Operation) -> Operation | None:
        """Take a step and save the result; return the operation if its next step is due at once."""
        change = self._attempt(executor, operation)
        if not self._save(operation, change):
            return self._cancelled_since(operation)
        now = self._tools.clock.now()
        is_due = change.due is not None and change.due <= now and not is_out_of_time(change.after, now)
        return change.after if is_due else None

    def _cancelled_since(self, operation: Operation) -> Operation | None:
        """Return an operation that was cancelled during its step; leave another replica's next step to that replica."""
        stored, cancelling = self._operations.load(operation.id), OperationPhase.CANCELLING
        is_new = stored is not None and (operation.phase, stored.phase) == (OperationPhase.RUNNING, cancelling)
        return stored if is_new else None

    def _attempt(self, executor: Executor, operation: Operation) -> OperationChange:
        does = executor.undo if operation.phase is OperationPhase.CANCELLING else executor.step
        try:
            return self._outcome(executor, operation, does(operation, self._tools))
        except UserError as error:
            return fail(operation, str(error), _left(executor, operation), self._moment())
        except DependencyError as error:
            log.warning("operation %s: %s I try again.", operation.id, error)
            return try_again(operation, str(error), self._moment())
        except Exception:
            log.exception("operation %s: its step broke; I try again", operation.id)
            return try_again(operation, "Something broke on our side; the log says what.", self._moment())

    def _outcome(self, executor: Executor, operation: Operation, step: Step) -> OperationChange:
        match step:
            case Next(state=state, question=question) if question:
                return put_question(operation, state, question, self._moment())
            case Next(state=state, said=said, wait=wait):
                return go_on(operation, state, said, wait, self._moment())
            case Ask(lines=lines) if sum(map(len, lines)) > MOST_ASKED:
                return fail(operation, TOO_LONG, _left(executor, operation), self._moment())
            case Ask(state=state, lines=lines, digest=digest):
                plan = self._tools.policy.plan
                barred = "" if plan.requester_may_approve else operation.started_by
                needed = approvals_needed(plan)
                agreement = Agreement(lines=tuple(lines), digest=digest, needed=needed, not_by=barred)
                return ask_people(operation, agreement, state, ASKED_FOR, self._moment())
            case Done(state=state, said=said):
                return finish(operation, state, said, self._moment())
            case Failed(reason=reason):
                return fail(operation, reason, _left(executor, operation), self._moment())

    def _save(self, operation: Operation, change: OperationChange) -> bool:
        return self._operations.save(SaveOperation(change=change, expected=operation.decision)) is Saved.YES

    def _moment(self) -> Moment:
        return Moment(now=self._tools.clock.now(), decision=new_decision())


def _left(executor: Executor | None, operation: Operation) -> str:
    """Ask an executor what is left to do by hand; its mistake must not keep an operation from ending."""
    try:
        return executor.left(operation) if executor else NOBODY_KNOWS
    except Exception:
        log.exception("operation %s: nobody can say what is left of it", operation.id)
        return NOBODY_KNOWS
