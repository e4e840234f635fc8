"""A process that carries out operations with the bot's own parts, in a group of its own, so that it dies with Helm."""

import logging
import multiprocessing
import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from bot.config.settings import TerminalSettings
from bot.domain.commands.origin import in_slack
from bot.domain.commands.request import END, Command, OperationWords, Request
from bot.domain.operation import Operation, OperationPhase
from bot.service.assembly import SharedParts, shared_parts
from bot.store.connection import connect
from bot.store.installs import Installs
from sandbox.slack import PEOPLE

PROCESSES: Final = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["chaos.writes.worker"])
CHANNEL: Final = "C0CHAOS000"
ALICE, BOB = list(PEOPLE)[:2]
LOOK: Final = timedelta(seconds=3)
STEPS: Final = 80
"""More than any operation takes."""


class QuickClock:
    """A clock of several processes, which jumps instead of waiting: it is ahead of the real one."""

    def __init__(self) -> None:
        self._ahead = PROCESSES.RawValue("d", 0.0)

    def now(self) -> datetime:
        """Return the time it shows."""
        return datetime.now(UTC) + timedelta(seconds=self._ahead.value)

    def sleep(self, seconds: float) -> None:
        """Let a moment pass: others need it too."""
        time.sleep(seconds)

    def jump(self, by: timedelta) -> None:
        """Move it."""
        self._ahead.value += by.total_seconds()


def parts_of(environment: Mapping[str, str], clock: QuickClock) -> SharedParts:
    """Build the bot's parts on the servers of an environment."""
    settings = TerminalSettings.model_validate(environment)
    client = connect(settings.redis_url.get_secret_value())
    return shared_parts(settings, client, clock, enter=Installs.join)


def work(environment: Mapping[str, str], clock: QuickClock, operation_id: str) -> None:
    """Take steps until an operation has no more effect; Bob approves whatever it asks for."""
    os.setsid()
    logging.disable(logging.WARNING)  # what fails here is meant to
    parts = parts_of(environment, clock)
    for _ in range(STEPS):
        operation = parts.operations.records.load(operation_id)
        if operation is None or is_through(operation):
            return
        if operation.phase is OperationPhase.ASKING:
            _approve(parts, operation, clock.now())
        runner = parts.operations.runner(lambda: True)
        runner.look()
        runner.close()
        clock.jump(LOOK)


def is_through(operation: Operation) -> bool:
    """Say whether it writes nothing more: it is over, or waits for pods that nobody starts here."""
    return operation.is_over or (operation.phase is OperationPhase.RUNNING and operation.state.get("do") == "follow")


def _approve(parts: SharedParts, operation: Operation, now: datetime) -> None:
    words = OperationWords(approves=True)
    command = Command(verb=END, subject=operation.id, operation=words)
    delivery = f"approve-{operation.id}-{operation.turn}"
    ask(parts, Request(command=command, by=BOB, origin=in_slack(CHANNEL), delivery=delivery, at=now))


def ask(parts: SharedParts, request: Request) -> None:
    """Have a request decided, as from Slack."""
    parts.parts.engine.receive(request)
    parts.parts.engine.process(request)
