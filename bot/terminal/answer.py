"""The result of a command in the terminal: the one value from which the screen and the JSON are written."""

import os
import pwd
from dataclasses import dataclass, field
from enum import IntEnum

from bot.domain.check import Report
from bot.domain.events import Event
from bot.domain.operation import Operation
from bot.domain.prose import Prose, say
from bot.domain.rollout import Entry

PROGRAM = "rolloutbot"
BRAKE_LEFT = say("`{} rollback --from-route ROUTE` needs only the API server.", PROGRAM)


class Exit(IntEnum):
    """Exit codes; docs/terminal.md promises them."""

    DONE = 0
    REFUSED = 1
    USAGE = 2
    UNCONFIRMED = 3
    WARNED = 4
    STOPPED = 130


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One sentence or more, and what it is about. ``led``: a bot leads; None: nobody looked.

    Where ``shows_entries`` is False the sentences say all of them that people asked for; programs get both.
    """

    said: Prose = field(default_factory=Prose)
    exit: Exit = Exit.DONE
    entries: tuple[Entry, ...] = ()
    events: tuple[Event, ...] = ()
    operations: tuple[Operation, ...] = ()
    report: Report | None = None
    led: bool | None = None
    shows_entries: bool = True


def unix_user() -> str:
    """Return who runs this process; not from the environment, because anybody may change that."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid-{os.getuid()}"
