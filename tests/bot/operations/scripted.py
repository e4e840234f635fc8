"""An executor whose steps a test writes, and a runner of it on a real store with a clock that the test moves."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Event
from typing import Any, cast

from bot.config.policy import Policy
from bot.domain.commands.request import END, START, Command, OperationWords, Request
from bot.domain.commands.tokens import Word
from bot.domain.operation import NewOperation, Operation, operation_id
from bot.operations.executor import Asked, Begun, Done, Next, Step, Tools
from bot.operations.reading import read_keys, read_subject
from bot.operations.registry import Registry
from bot.operations.requests import OperationRequests
from bot.operations.runner import Runner
from tests.builders import ALICE, BOB, IN_CHANNEL
from tests.operations import OperationStore
from tests.stage import HandClock

Act = Callable[[Operation], Step]


def count_to_three(operation: Operation) -> Step:
    """Take three steps."""
    at = int(operation.state["next"])
    return Done(said="All three.") if at == 3 else Next(state={"next": at + 1}, said=f"Step {at}.")


def count_back(operation: Operation) -> Step:
    """Take back, in as many steps."""
    at = int(operation.state["next"])
    return Done() if at == 1 else Next(state={"next": at - 1}, said=f"Took back {at}.")


@dataclass
class Scripted:
    """Does what the test says, and keeps what it was called with."""

    act: Act = count_to_three
    take_back: Act = count_back
    remain: Callable[[Operation], str] = lambda operation: f"Look at step {operation.state['next']}."
    name: str = "copy"
    about: str = "copy something"
    usage: str = "SUBJECT [count=… reason=…]"
    within: timedelta = timedelta(minutes=30)
    undo_within: timedelta = timedelta(minutes=10)
    states: list[Any] = field(default_factory=list)
    swept: int = 0

    def read(self, words: Sequence[Word]) -> Asked:
        line = f"{self.name} {self.usage}"
        return Asked(subject=read_subject(words, line), parameters=read_keys(words, ("count",), line))

    def begin(self, asked: NewOperation, tools: Tools) -> Begun:
        return Begun(subject=asked.subject, state={"next": 1})

    def step(self, operation: Operation, tools: Tools) -> Step:
        self.states.append(dict(operation.state))
        return self.act(operation)

    def undo(self, operation: Operation, tools: Tools) -> Step:
        return self.take_back(operation)

    def left(self, operation: Operation) -> str:
        return self.remain(operation)

    def sweep(self, tools: Tools) -> None:
        self.swept += 1


@dataclass
class Works:
    """A store, a clock, an executor, and short words for what happens to operations."""

    store: OperationStore
    executor: Scripted = field(default_factory=Scripted)
    clock: HandClock = field(default_factory=HandClock)
    leads: Event = field(default_factory=Event)
    deliveries: int = 0

    def __post_init__(self) -> None:
        self.leads.set()

    @property
    def requests(self) -> OperationRequests:
        """Return what decides requests."""
        inbox = self.store.inbox
        return OperationRequests(
            self._registry, self.store.operations, self.tools, receive=inbox.receive, drop=inbox.drop
        )

    def runner(self) -> Runner:
        """Return the runner of another process."""
        return Runner(self._registry, self.store.operations, self.tools)

    @property
    def tools(self) -> Tools:
        nobody = cast(Any, None)
        return Tools(
            routes=nobody,
            rollouts=nobody,
            trials=nobody,
            removals=nobody,
            deployments=cast(Any, None),
            way_back=nobody,
            clock=self.clock,
            policy=Policy(namespaces=("default",)),
            goes_on=self.leads.is_set,
        )

    @property
    def _registry(self) -> Registry:
        return Registry((self.executor,))

    def request(
        self, subject: str = "models", *, cancels: bool = False, approves: bool = False, by: str = "", **words: Any
    ) -> Request:
        """Return a request that the inbox has."""
        self.deliveries += 1
        command = Command(
            verb=END if cancels or approves else START,
            subject=subject,
            operation=OperationWords(approves=approves)
            if cancels or approves
            else OperationWords(kind="copy", parameters={"count": "3"}),
        )
        request = Request(
            command=command,
            by=by or (BOB if cancels else ALICE),
            origin=IN_CHANNEL,
            delivery=f"delivery-{self.deliveries}",
            at=self.clock.now(),
            **words,
        )
        self.store.inbox.receive(request)
        return request

    def begun(self, subject: str = "models") -> Operation:
        """Alice begins an operation."""
        request = self.request(subject)
        self.requests.decide(request)
        return self.load(operation_id(request.delivery, request.at))

    def cancel(self, subject: str = "models") -> Operation:
        """Bob cancels it."""
        self.requests.decide(self.request(subject, cancels=True))
        return self.only()

    def approve(self, operation: Operation, by: str = BOB, **words: Any) -> None:
        """Somebody approves it."""
        self.requests.decide(self.request(operation.id, approves=True, by=by, **words))

    def only(self) -> Operation:
        """Return the newest operation that is under way."""
        return self.store.operations.under_way()[0]

    def load(self, operation_id: str) -> Operation:
        """Return what is stored of an operation."""
        operation = self.store.operations.load(operation_id)
        assert operation is not None
        return operation

    def look(self, **later: float) -> None:
        """Let time pass; a process looks at what is due, takes the steps that are due, and ends."""
        self.clock.forward(**later)
        runner = self.runner()
        runner.look()
        runner.close()

    def told(self, operation_id: str) -> list[str]:
        """Return what happened."""
        return [
            f"{event.kind}: {event.said}" if event.said else str(event.kind)
            for event in self.store.operations.events(operation_id, 0)
        ]
