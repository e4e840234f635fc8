"""What people can ask for: the request, as it lies in the inbox. The grammar is in grammar.py."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from bot.domain.commands.origin import Origin
from bot.domain.plan import Wishes

START: Final = "start"
ROLLBACK: Final = "rollback"
HELP: Final = "help"
"""Verbs that code has to know by name; whatever else is asked of a verb, its declaration says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartWords:
    """The words of ``start`` beyond the pool: first weight in percent, and what was said by key."""

    weight: int
    stable: str = ""
    route: str = ""
    namespace: str = ""
    rule: str = ""
    wishes: Wishes = field(default_factory=Wishes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One parsed line: the verb's name, the pool or rollout id it is about (may be empty), and its words.

    ``left_out`` is how many characters of the reason were too many.
    """

    verb: str
    subject: str = ""
    reason: str = ""
    start: StartWords | None = None
    left_out: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A command or a click, as it is kept in the inbox.

    ``delivery`` is Slack's id of this delivery, or a terminal's; the same id twice is one request. ``turn`` comes
    with a button. ``reply_to`` is where a private answer goes (a response_url).
    """

    command: Command
    by: str
    origin: Origin
    delivery: str
    at: datetime
    turn: int | None = None
    reply_to: str = ""
