"""What people can ask for: the request, as the inbox keeps it. The grammar is in grammar.py."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from bot.domain.commands.origin import Origin
from bot.domain.plan import Wishes
from bot.domain.rollout import Rollout

START: Final = "start"
ROLLBACK: Final = "rollback"
FINISH: Final = "finish"
END: Final = "end"
APPROVE: Final = "approve"
STATUS: Final = "status"
CHECK: Final = "check"
HELP: Final = "help"
"""Verbs that code has to know by name; everything else about a verb is in its declaration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """What people say of the HTTPRoute whose rollout they mean: its name and its namespace; empty: any.

    ``str`` writes it as people type it.
    """

    route: str = ""
    namespace: str = ""

    @classmethod
    def of(cls, route: str, namespace: str) -> "Where":
        """Return it from what people type: a route may have its namespace before it, as our lists write it."""
        before, _, name = route.rpartition("/")
        return cls(route=name, namespace=namespace or before)

    def __bool__(self) -> bool:
        return bool(self.route or self.namespace)

    def __str__(self) -> str:
        said = (("route", self.route), ("namespace", self.namespace))
        return " ".join(f"{key}={value}" for key, value in said if value)

    def fits(self, rollout: Rollout) -> bool:
        """Say whether a rollout is there."""
        return self.route in ("", rollout.route) and self.namespace in ("", rollout.namespace)


ANYWHERE: Final = Where()
"""Where a rollout may be if people say nothing of its route."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartWords:
    """The words of ``start`` beyond the pool: first weight in percent, and what was said by key.

    A ``check`` may leave the weight open: it is 0 then.
    """

    weight: int
    stable: str = ""
    route: str = ""
    namespace: str = ""
    rule: str = ""
    wishes: Wishes = field(default_factory=Wishes)


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationWords:
    """What a command asks of operations: to begin one of a ``kind``; without a kind, to approve or cancel one.

    A vote has a kind of its own, which no executor has: an older bot, which would not know a new field, refuses it.
    """

    kind: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    approves: bool = False

    @property
    def name(self) -> str:
        """Return the word that people type."""
        return APPROVE if self.approves else self.kind or CANCEL

    @property
    def vote(self) -> str:
        """Return the answer to a question, ``QUESTION:CHOICE``; empty if it is none."""
        return self.parameters.get(VOTE, "") if self.kind == VOTE else ""


CANCEL: Final = "cancel"
"""The word that cancels an operation."""

VOTE: Final = "vote"
"""The word that answers a question of one."""


def vote_words(question: int, choice: str) -> OperationWords:
    """Return the words of a vote on a question, which are counted from 1."""
    return OperationWords(kind=VOTE, parameters={VOTE: f"{question}:{choice}"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One parsed line: the verb's name, the pool or rollout id it is about (may be empty), its route, and its words.

    Where ``operation`` is given, that is what it asks for, and the verb only says whether something begins or ends.
    ``left_out`` is how many characters of the reason were too many.
    """

    verb: str
    subject: str = ""
    where: Where = ANYWHERE
    reason: str = ""
    start: StartWords | None = None
    left_out: int = 0
    operation: OperationWords | None = None

    @property
    def name(self) -> str:
        """Return the verb as people type it."""
        return self.operation.name if self.operation else self.verb


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A command or a click, as it is kept in the inbox.

    ``delivery`` is Slack's id of this delivery, or a terminal's; the same id twice is one request. ``turn`` comes
    with a button. ``reply_to`` is where a private answer goes (a response_url). ``unix_user`` is who really typed it in
    a terminal, if ``by`` is the Slack user whom the policy names for it. ``is_checked``: Slack said who ``by`` is.
    """

    command: Command
    by: str
    origin: Origin
    delivery: str
    at: datetime
    turn: int | None = None
    reply_to: str = ""
    unix_user: str = ""
    is_checked: bool = True
