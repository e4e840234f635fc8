"""kill -9 before and after each effect of an operation, then another process: the same end, nothing twice or lost."""

import multiprocessing
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import pytest

from bot.domain.commands.request import START, Command, OperationWords, Request
from bot.domain.operation import OperationPhase, operation_id
from sandbox.apiserver import ApiServer
from sandbox.kube import Kube, path_of
from sandbox.strict_slack import StrictSlack, strict_slack
from tests.builders import ALICE, BOB, IN_CHANNEL
from tests.handlers.board.one_round import one_round
from tests.scenarios.victim import Place
from tests.seams.operation_victim import Death, Process, do
from tests.stage import HandClock

processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(["tests.seams.operation_victim"])
COPIES = ["models-copy-1", "models-copy-2", "models-copy-3"]
BEGUN = ["begun", "progressed", "progressed", "done"]
UNDONE = [*BEGUN[:-1], "cancelling", "progressed", "progressed", "cancelled"]


@dataclass
class Theatre:
    """The servers, a Slack, and processes that can be killed."""

    kube: Kube
    place: Place
    slack: StrictSlack
    clock: HandClock

    def request(self, operation: OperationWords, *, by: str, delivery: str) -> Request:
        command = Command(verb=START, subject="models", operation=operation)
        return Request(command=command, by=by, origin=IN_CHANNEL, delivery=delivery, at=self.clock.now())

    def die(self, request: Request, death: Death) -> None:
        """Have another process take a request and die on the way."""
        process = processes.Process(target=do, args=(self.place, self.clock.now(), death, request))
        process.start()
        process.join()
        assert process.exitcode == -signal.SIGKILL

    def restart(self) -> Process:
        """What a new leader does for a minute: inbox, due operations, cards."""
        self.clock.forward(seconds=30)
        process = Process(self.place, self.clock.now())
        for request in process.engine.waiting_requests(timedelta(seconds=5)):
            process.engine.process(request)
        for _ in range(6):
            process.take_steps()
            process.clock.forward(seconds=5)
        while process.inbox.dirty(10):
            one_round(process.board, process.clock.now())
            process.clock.forward(seconds=5)
        self.clock.set(process.clock.now())
        return process

    def redeliver(self, request: Request) -> Process:
        """Slack, or a person who saw nothing happen, sends the same delivery again."""
        process = Process(self.place, self.clock.now())
        process.engine.receive(request)
        process.engine.process(request)
        return self.restart()

    def copies(self) -> list[str]:
        items = self.kube.get(path_of("v1", "ConfigMap", self.place.namespace))["items"]
        return sorted(each["metadata"]["name"] for each in items if "-copy-" in each["metadata"]["name"])

    def told(self) -> list[int]:
        """Return the places in the event stream that the thread tells, in order."""
        (card,) = self.slack.cards()
        marks = [message["blocks"][0]["block_id"].rsplit(":", 1)[1] for message in self.slack.thread(card["ts"])]
        spans = [mark.split("-") for mark in marks]
        return [place for first, last in spans for place in range(int(first), int(last) + 1)]


@pytest.fixture
def theatre(api_server: ApiServer, kube: Kube, namespace: str, redis_url: str) -> Iterator[Theatre]:
    clock = HandClock()
    kube.create(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "models", "namespace": namespace},
            "data": {"model": "llama3"},
        }
    )
    with strict_slack(lambda: clock.now().timestamp()) as slack:
        yield Theatre(kube, Place(str(api_server.kubeconfig()), namespace, redis_url, slack.url), slack, clock)


EFFECTS = {
    "the inbox": Death("receive", 1, False),
    "the first decision": Death("save", 1, False),
    "the post of the card": Death("post", 1, False),
    "the first message of the thread": Death("post", 2, False),
    "the claim": Death("claim_due", 1, False),
    "the first copy": Death("create", 1, False),
    "the first step's decision": Death("save", 2, False),
    "the second copy": Death("create", 2, False),
    "the second step's decision": Death("save", 3, False),
    "the last copy": Death("create", 3, False),
    "the last step's decision": Death("save", 4, False),
    "the update of the card": Death("update", 1, False),
    "the last message of the thread": Death("post", 3, False),
}
UNDO_EFFECTS = {
    "the inbox": Death("receive", 1, False),
    "the decision to cancel": Death("save", 1, False),
    "the card that says so": Death("update", 1, False),
    "the decision what to delete": Death("save", 2, False),
    "the first deletion": Death("delete", 1, False),
    "the first deletion's decision": Death("save", 3, False),
    "the last deletion": Death("delete", 2, False),
    "the last deletion's decision": Death("save", 4, False),
    "the last decision": Death("save", 5, False),
    "the card that ends it": Death("update", 2, False),
}


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("effect", EFFECTS)
def test_killed_while_it_copies(theatre: Theatre, effect: str, after: bool) -> None:
    begin = theatre.request(OperationWords(kind="copy"), by=ALICE, delivery=theatre.place.namespace)
    death = EFFECTS[effect]
    theatre.die(begin, Death(death.method, death.call, after))
    theatre.restart()
    process = theatre.redeliver(begin)
    operation = process.operations.load(operation_id(begin.delivery, begin.at))
    assert (operation.phase, theatre.copies()) == (OperationPhase.DONE, COPIES)
    assert [event.kind for event in process.operations.events(operation.id, 0)] == BEGUN
    assert theatre.told() == [1, 2, 3, 4]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("effect", UNDO_EFFECTS)
def test_killed_while_it_takes_back(theatre: Theatre, effect: str, after: bool) -> None:
    words = OperationWords(kind="copy", parameters={"every": "600"})
    begin = theatre.request(words, by=ALICE, delivery=theatre.place.namespace)
    begun = two_copies(theatre, begin)
    cancel = theatre.request(OperationWords(), by=BOB, delivery=f"{theatre.place.namespace}-cancel")
    death = UNDO_EFFECTS[effect]
    theatre.die(cancel, Death(death.method, death.call, after))
    theatre.restart()
    process = theatre.redeliver(cancel)
    assert process.operations.load(begun).phase is OperationPhase.CANCELLED
    assert theatre.copies() == []
    assert [event.kind for event in process.operations.events(begun, 0)] == UNDONE
    assert theatre.told() == [1, 2, 3, 4, 5, 6, 7]


def two_copies(theatre: Theatre, begin: Request) -> str:
    """Begin, let two of three steps be taken, and draw the card; return the operation's id."""
    process = Process(theatre.place, theatre.clock.now())
    process.engine.receive(begin)
    process.engine.process(begin)
    process.take_steps()
    process.clock.forward(minutes=10)
    process.take_steps()
    one_round(process.board, process.clock.now())
    theatre.clock.set(process.clock.now())
    return operation_id(begin.delivery, begin.at)
