"""Operations in the terminal: begin or cancel one, and follow it for a while."""

import uuid
from datetime import timedelta

from bot.domain.commands.origin import Origin, Surface
from bot.domain.commands.request import Command, Request
from bot.domain.commands.values import say_cut
from bot.domain.errors import DependencyError, StoreError, UserError
from bot.domain.operation import Operation, OperationPhase
from bot.domain.prose import Prose, joined, say, sentence
from bot.domain.sentences.operations import state, until
from bot.service.assembly import SharedParts
from bot.store.lease import is_held
from bot.terminal.answer import Answer, Exit
from bot.terminal.follow import LOOK_EVERY, Tell

NOBODY_TAKES_STEPS = say("No bot leads now: it goes on when one does.")


def operate(core: SharedParts, command: Command, person: str, channel: str, seconds: float, tell: Tell) -> Answer:
    """Begin or cancel an operation, and follow it for some seconds. Raises UserError."""
    request = Request(
        command=command,
        by=person,
        origin=Origin(surface=Surface.TERMINAL, channel=channel),
        delivery=f"terminal:{uuid.uuid4().hex}",
        at=core.clock.now(),
    )
    try:
        core.parts.engine.receive(request)
        operation = _decided(core, request)
    except StoreError as error:
        said = say("{} Nothing is known to be done. Look with `status`.", error.prose)
        return Answer(said=said, exit=Exit.UNCONFIRMED)
    except DependencyError as error:
        said = say("{} What you asked for is kept: a running bot does it.", error.prose)
        return Answer(said=said, exit=Exit.UNCONFIRMED)
    try:
        answer = _followed(core, operation, seconds, tell)
    except StoreError as error:
        said = say("{} {} Look with `status`.", _where(operation), error.prose)
        return Answer(said=said, exit=Exit.UNCONFIRMED, operations=(operation,))
    return Answer(
        said=joined("\n", (answer.said, say_cut(command.left_out))),
        exit=answer.exit,
        operations=answer.operations,
        led=answer.led,
    )


def _decided(core: SharedParts, request: Request) -> Operation:
    core.parts.engine.process(request)
    became = core.store.became(request.delivery)
    if became.refusal:
        raise UserError(became.refusal)
    operation = core.operations.records.load(became.operation) if became.operation else None
    if operation is None:
        raise DependencyError("I do not know what became of this.")
    return operation


def _followed(core: SharedParts, operation: Operation, seconds: float, tell: Tell) -> Answer:
    """Look until it is over or the time is up; without a leader nothing will happen."""
    led, end = is_held(core.client, core.install.prefix()), core.clock.now() + timedelta(seconds=seconds)
    while led and not operation.is_over and core.clock.now() < end:
        tell(f"{operation.name}: {operation.progress[-1] if operation.progress else operation.phase}")
        core.clock.sleep(LOOK_EVERY)
        operation = core.operations.records.load(operation.id) or operation
    return standing(operation, led=led)


def standing(operation: Operation, *, led: bool) -> Answer:
    """Say where an operation stands, why, and what is left to do by hand."""
    said, is_failed = _where(operation), operation.phase is OperationPhase.FAILED
    if is_failed:
        said = joined(" ", (said, sentence(operation.why), sentence(operation.left)))
    elif operation.phase is OperationPhase.ASKING:
        said = joined("\n", (said, state(operation)))
    elif not operation.is_over:
        said = joined(" ", (said, sentence(operation.trouble), say("It has until {}.", until(operation))))
        said = joined("\n", (said, Prose() if led else NOBODY_TAKES_STEPS))
    return Answer(said=said, exit=Exit.REFUSED if is_failed else Exit.DONE, operations=(operation,), led=led)


def _where(operation: Operation) -> Prose:
    return say("`{}` (`{}`) is {}.", operation.name, operation.id, operation.phase.value)
