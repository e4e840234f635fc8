"""What an executor is, and what it promises. To add one, write a file here and a line in registry.py.

An executor does one kind of work, such as an installation, in steps of some seconds. It keeps nothing in memory: the
record's ``state``, its own small JSON, says what to do next, and is saved before that is done. ``step`` does what the
state says and returns the next state. So a process can die at any line, and the next one takes the same step again. For
that an executor promises:

1. **A step may be repeated.** It may be taken twice, after a crash, by two replicas at once, or much later by a Redis
   that was restored from a backup. Whatever is there already counts as done.
2. **The state names what a step makes before the step makes it.** A random name has to be in the state one step
   earlier; a name derived from ``operation.id`` need not be.
3. **It finds its own half-done work.** What it makes carries the operation's id, as a label for example: the state
   says what was intended, and only a look says whether it happened. An operation that Redis has lost is found by that
   label too. Nothing brings its record back, because an operation has no copy on a route; people ask for it again.
4. **A step ends.** Each call in it is bounded in time, and the whole step takes some seconds. If something takes longer
   (a rollout of pods), the next step asks about it again. A step that hangs takes one of the runner's few threads, and
   the deadline ends its operation all the same; but the step may still take effect later, and ``left`` has to allow for
   that.
5. **Taking back allows for a running step.** ``undo`` may begin when the step of the current state was taken, was not,
   or is being taken by a replica that was frozen. It takes back what may be there, and nothing without the operation's
   id.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol

from bot.config.policy import Policy
from bot.domain.commands.tokens import Word
from bot.domain.operation import NewOperation, Operation
from bot.engine.deployment_port import Deployments
from bot.engine.lookup import Lookup
from bot.engine.past_port import Past
from bot.engine.ports import Clock
from bot.engine.removal_port import Removals
from bot.engine.route_port import Routes
from bot.engine.trial_port import Trials
from bot.engine.way_back import WayBack

State = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a line asks for: the subject, empty if ``begin`` has to find it, and parameters; ``reason`` is one too."""

    subject: str
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """What is done first, and on what: one operation at a time works on a subject, or, where it is given, in a slot.

    The last operation of a slot is found by gates, also after it is over.
    """

    subject: str
    state: State
    slot: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Next:
    """The step is taken; ``state`` says what the next one does, after ``wait``. ``said`` is a sentence for people.

    ``question`` is the number of one that the thread now puts to people (bot/domain/comparison.py).
    """

    state: State
    said: str = ""
    question: int = 0
    wait: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """Everything is done, or everything is taken back."""

    state: State = field(default_factory=dict)
    said: str = ""


@dataclass(frozen=True, slots=True)
class Failed:
    """It cannot be done; ``reason`` is one sentence for people."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """People have to agree before ``state`` is done: to ``lines``, which ``digest`` stands for.

    The step that needs an agreement works out its digest again, and asks anew unless ``operation.may`` it: so nothing
    is done that people have not seen, also if it has changed since.
    """

    state: State
    lines: Sequence[str]
    digest: str


Step = Next | Ask | Done | Failed


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What an executor may ask and use; add more here when one needs it.

    ``goes_on`` turns False when this process may begin nothing more. ``past``: None without a Prometheus.
    """

    routes: Routes
    rollouts: Lookup
    trials: Trials
    removals: Removals
    deployments: Deployments
    way_back: WayBack
    clock: Clock
    policy: Policy
    goes_on: Callable[[], bool]
    past: Past | None = None


class Executor(Protocol):
    """Does one kind of work. It may be used by many threads.

    ``step`` and ``undo`` raise DependencyError if they are worth another try, and UserError if not.
    """

    @property
    def name(self) -> str:
        """Return the word by which people ask for it."""

    @property
    def about(self) -> str:
        """Return what it does, in a few words, for `help`."""

    @property
    def usage(self) -> str:
        """Return what people type after that word."""

    def read(self, words: Sequence[Word]) -> Asked:
        """Read what was typed there. Raises UsageError."""

    @property
    def within(self) -> timedelta:
        """Return how long it may take."""

    @property
    def undo_within(self) -> timedelta:
        """Return how long taking it back may take."""

    def begin(self, asked: NewOperation, tools: Tools) -> Begun:
        """Return what to do first. Changes nothing; raises UserError if it may not or cannot begin."""

    def step(self, operation: Operation, tools: Tools) -> Step:
        """Do what the state says."""

    def undo(self, operation: Operation, tools: Tools) -> Step:
        """Take back one more piece of what the state says was done, or may have been."""

    def left(self, operation: Operation) -> str:
        """Say what is left for people to do by hand if it ended in the middle; asks nobody."""

    def sweep(self, tools: Tools) -> None:
        """Take away what dead operations have left; called every minute. Raises DependencyError, UserError."""
