"""What a command in the terminal came to: the one value that the screen and the JSON are written from."""

import os
import pwd
from dataclasses import dataclass
from enum import IntEnum

from bot.domain.events import Event
from bot.domain.operation import Operation
from bot.domain.rollout import Entry

PROGRAM = "rolloutbot"
BRAKE_LEFT = f"`{PROGRAM} rollback --from-route ROUTE` needs only the API server."


class Exit(IntEnum):
    """Exit codes; docs/terminal.md promises them."""

    DONE = 0
    REFUSED = 1
    USAGE = 2
    UNCONFIRMED = 3
    STOPPED = 130


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One sentence or more, and what it is about. ``led``: a bot leads; None: nobody looked."""

    said: str = ""
    exit: Exit = Exit.DONE
    entries: tuple[Entry, ...] = ()
    events: tuple[Event, ...] = ()
    operations: tuple[Operation, ...] = ()
    led: bool | None = None


def unix_user() -> str:
    """Return who runs this process; the environment is not asked, because anybody may write it."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid-{os.getuid()}"
