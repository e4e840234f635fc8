"""What a question or an inquiry may look at, and what its answer consists of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from bot.domain.access import Access
from bot.domain.check import Report
from bot.domain.commands.origin import Origin
from bot.domain.commands.request import ANYWHERE, STATUS, Command, Where
from bot.domain.gate import Look, Readiness, Verdict
from bot.domain.plan import Plan
from bot.domain.prose import Prose
from bot.domain.rollout import Entry, Pool
from bot.domain.sentences.what_it_waits_for import Wait

if TYPE_CHECKING:
    from bot.domain.verbs.declaration import Verb


class Rollouts(Protocol):
    """Reads the stored rollouts. Raises UserError (with similar names) and StoreError."""

    def find(self, subject: str, channel: str, where: Where = ANYWHERE, *, verb: str = STATUS) -> Entry:
        """Find by canary, by rollout id, or by channel where ``subject`` is empty.

        Where several may be meant, the error offers them for ``verb``.
        """

    def entries(self, channel: str = "") -> Sequence[Entry]:
        """List the rollouts that are not over, newest first, of one channel or of all."""


class Cluster(Protocol):
    """Asks the cluster; only an inquiry may. Every call is bounded in time; raises ClusterError."""

    def readiness(self, stable: Pool, canary: Pool) -> Readiness:
        """Count the ready endpoints of both pools."""

    def is_gone(self, pool: Pool) -> bool:
        """Ask whether an InferencePool is missing."""


class Gates(Protocol):
    """Asks the gates that the policy has switched on."""

    @property
    def about(self) -> Mapping[str, str]:
        """Return what each gate checks, by its name."""

    def check(self, entry: Entry) -> Verdict:
        """Ask every gate whether the canary may get more."""

    def look(self, entry: Entry) -> Sequence[Look]:
        """Ask every gate, for somebody who wants to see more than a verdict."""


class Rules(Protocol):
    """What the policy says."""

    @property
    def access(self) -> Access:
        """Return who may do what."""

    @property
    def plan(self) -> Plan:
        """Return the plan of a start that says nothing else."""

    @property
    def namespaces(self) -> tuple[str, ...]:
        """Return the namespaces that the bot works in."""


class Starts(Protocol):
    """Looks at what a start would find."""

    def check(self, command: Command, by: str) -> Report:
        """Look, and change nothing. Raises ClusterError, StoreError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where an answer may come from."""

    starts: Starts
    rollouts: Rollouts
    cluster: Cluster
    gates: Gates
    rules: Rules


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """Who asks what, when and where, and the sources for an answer.

    ``program`` is how the verbs are typed there: `/rollout` in Slack, `rolloutbot` in a terminal. ``verbs`` are all
    that exist, in the groups of the help.
    """

    command: Command
    by: str
    origin: Origin
    now: datetime
    program: str
    sources: Sources
    verbs: Sequence[Sequence["Verb"]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """Sentences, and the rollouts they are about, which Slack and a terminal draw in their own ways.

    With ``wait``, which is of the one rollout, what it waits for is all that is drawn. ``report`` is what a check
    found, which the sentences say too.
    """

    said: Prose = field(default_factory=Prose)
    rollouts: tuple[Entry, ...] = ()
    wait: Wait | None = None
    report: Report | None = None
