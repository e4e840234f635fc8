"""Operations in the terminal: one is begun or cancelled, and followed for a while."""

import uuid
from datetime import timedelta

from bot.domain.commands.request import TERMINAL, Command, Request
from bot.domain.errors import DependencyError, StoreError, UserError
from bot.domain.operation import Operation, OperationPhase
from bot.service.assembly import Core
from bot.terminal.answer import Answer, Exit
from bot.terminal.follow import LOOK_EVERY, Tell

NOBODY_TAKES_STEPS = "No bot leads now: it goes on when one does."


def operate(core: Core, command: Command, person: str, channel: str, seconds: float, tell: Tell) -> Answer:
    """Begin or cancel an operation, and follow it for some seconds. Raises UserError."""
    request = Request(
        command=command, by=person, channel=channel, delivery=f"{TERMINAL}{uuid.uuid4().hex}", at=core.clock.now()
    )
    try:
        core.parts.engine.receive(request)
        operation = _decided(core, request)
    except StoreError as error:
        return Answer(said=f"{error} Nothing is known to be done. Look with `status`.", exit=Exit.UNCONFIRMED)
    except DependencyError as error:
        return Answer(said=f"{error} What you asked for is kept: a running bot does it.", exit=Exit.UNCONFIRMED)
    try:
        return _followed(core, operation, seconds, tell)
    except StoreError as error:
        said = f"`{operation.name}` (`{operation.id}`) is {operation.phase}. {error} Look with `status`."
        return Answer(said=said, exit=Exit.UNCONFIRMED, operations=(operation,))


def _decided(core: Core, request: Request) -> Operation:
    core.parts.engine.process(request)
    became = core.store.became(request.delivery)
    if became.refusal:
        raise UserError(became.refusal)
    operation = core.operations.records.load(became.operation) if became.operation else None
    if operation is None:
        raise DependencyError("It is not known what became of this.")
    return operation


def _followed(core: Core, operation: Operation, seconds: float, tell: Tell) -> Answer:
    """Look until it is over, or the time is; where nobody leads nothing will happen."""
    led, end = core.store.is_led(), core.clock.now() + timedelta(seconds=seconds)
    while led and not operation.is_over and core.clock.now() < end:
        tell(f"{operation.name}: {operation.progress[-1] if operation.progress else operation.phase}")
        core.clock.sleep(LOOK_EVERY)
        operation = core.operations.records.load(operation.id) or operation
    return standing(operation, led=led)


def standing(operation: Operation, *, led: bool) -> Answer:
    """Say where an operation stands, why, and what is left to do by hand."""
    said = f"`{operation.name}` (`{operation.id}`) is {operation.phase}."
    exit_code = Exit.DONE
    if operation.phase is OperationPhase.FAILED:
        said, exit_code = f"{said} {operation.why} {operation.left}".strip(), Exit.REFUSED
    elif not operation.is_over:
        until = f"It has until {operation.deadline:%H:%M} UTC."
        said = " ".join(filter(None, [said, operation.trouble, until])) + ("" if led else f"\n{NOBODY_TAKES_STEPS}")
    return Answer(said=said, exit=exit_code, operations=(operation,), led=led)
