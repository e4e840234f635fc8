"""What the Slack side needs from the engine, as Protocols; ``bot.engine.engine.Engine`` implements them."""

from collections.abc import Callable, Sequence
from typing import Protocol

from bot.domain.commands.request import Request
from bot.domain.errors import UsageError
from bot.domain.operation import Operation
from bot.domain.prose import Prose
from bot.domain.rollout import Entry, Rollout
from bot.domain.verbs.asking import Reply, Rollouts
from bot.operations.registry import Registry

Others = Callable[[], Prose]
"""Returns one more sentence for somebody who asked in vain; empty if no other install shares our Slack app."""


def nobody_else() -> Prose:
    """Say nothing: no other install shares our Slack app."""
    return Prose()


class RouteRolledBack(Protocol):
    """A roll back that is on the route; ``missing`` names rules that are gone from it."""

    @property
    def rollout(self) -> Rollout:
        """Return the record that is on the route."""

    @property
    def written(self) -> bool:
        """Say whether it was written now; otherwise it was rolled back before."""

    @property
    def as_before(self) -> bool:
        """Say whether the weights are those from before the rollout; otherwise the old pool has all that both had."""

    @property
    def missing(self) -> tuple[str, ...]:
        """Return the rules that were not written."""


class Brakes(Protocol):
    """Rolls back without the store."""

    def brake(self, request: Request) -> RouteRolledBack:
        """Roll back from the record on the route. Raises UserError, ClusterError, and does not try again."""


class Inbox(Protocol):
    """Receives requests before they are acknowledged."""

    def receive(self, request: Request) -> bool:
        """Check local rights and keep the request; False if this delivery was seen before.

        Raises NotAllowedError, StoreError; at most about a second.
        """


class Reader(Rollouts, Protocol):
    """Reads what is stored, and answers."""

    def answer(self, request: Request, program: str) -> Reply:
        """Answer a question, or an inquiry within its deadline; people type verbs after ``program``.

        Raises UserError, DependencyError; LateError where the deadline of an inquiry passed.
        """


class Doer(Protocol):
    """Does what was taken in."""

    def carry_out(self, request: Request) -> Entry | None:
        """Decide and apply, and return the new state of the rollout; None: done elsewhere.

        Raises UserError (it has left the inbox then) and DependencyError (it is kept and tried again).
        """

    def look(self, entry: Entry, verb: str) -> str:
        """Look at the pools after a verb, which may take long; return a sentence for the person, often empty."""


class OperationReader(Protocol):
    """Knows which operations can be begun, and which are under way. Raises UserError and StoreError."""

    @property
    def registry(self) -> Registry:
        """Return the executors."""

    def find(self, subject: str, channel: str) -> Operation:
        """Find by id, by subject, or the channel's only one where ``subject`` is empty."""

    def under_way(self, channel: str) -> Sequence[Operation]:
        """List those of a channel that are not over, newest first."""


class NoOperations:
    """What is known of operations if there is no executor."""

    registry = Registry()

    def find(self, subject: str, channel: str) -> Operation:
        """Raise UsageError."""
        raise UsageError(f"There is no operation `{subject}`.", hint="This bot has none.")

    def under_way(self, channel: str) -> Sequence[Operation]:
        """Return none."""
        return ()


NO_OPERATIONS = NoOperations()


class Backend(Inbox, Reader, Doer, Brakes, Protocol):
    """All of them."""
