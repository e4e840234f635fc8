"""kill -9 before and after each effect of the one path, then a restart: the same end, nothing twice or lost."""

import multiprocessing
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

import pytest

from bot.domain.commands.request import Request
from bot.domain.plan import Wishes
from bot.domain.rollout import Phase
from handlers.app import web_client
from handlers.board.board import Board
from handlers.board.rollout_topic import RolloutTopics
from handlers.slack import Slack
from sandbox.apiserver import ApiServer
from sandbox.slack import BOT_TOKEN
from sandbox.strict_slack import StrictSlack, strict_slack
from tests.builders import ALICE, CANARY, STABLE
from tests.handlers.board.one_round import one_round
from tests.scenarios.victim import Death, Place, do
from tests.stage import Stage

processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(["tests.scenarios.victim"])


@dataclass
class Theatre:
    """A stage with a Slack, and a bot in another process that can be killed."""

    stage: Stage
    slack: StrictSlack
    place: Place
    board: Board

    def die(self, request: Request, death: Death) -> None:
        """Have a bot in another process take a request and die on the way."""
        process = processes.Process(target=do, args=(self.place, death, request))
        process.start()
        process.join()
        assert process.exitcode == -signal.SIGKILL

    def restart(self) -> None:
        """What a new leader does: inbox, unwritten intents, due rollouts, cards."""
        self.stage.clock.forward(seconds=6)
        for request in self.stage.engine.waiting_requests(timedelta(seconds=5)):
            self.stage.engine.process(request)
        self.settle()

    def settle(self) -> None:
        """Let the sweeps, the gateway and the board come to rest."""
        for _ in range(3):
            self.stage.pass_time(seconds=1)
            self.stage.wait_observed()
        while self.stage.store.dirty(10):
            one_round(self.board, self.stage.clock.now())
            self.stage.clock.forward(seconds=5)

    def redeliver(self, request: Request) -> None:
        """Slack, or a person who saw nothing happen, sends the same delivery again."""
        self.stage.engine.receive(request)
        self.stage.engine.process(request)
        self.settle()


@pytest.fixture
def theatre(stage: Stage, api_server: ApiServer, redis_url: str) -> Iterator[Theatre]:
    with strict_slack(lambda: stage.clock.now().timestamp()) as slack:
        client = web_client(BOT_TOKEN, base_url=slack.api_url)
        board = Board(stage.store, RolloutTopics(stage.store, stage.store, stage.policy.access), Slack(client))
        place = Place(str(api_server.kubeconfig()), stage.world.namespace, redis_url, slack.url)
        yield Theatre(stage, slack, place, board)


@dataclass(frozen=True)
class Story:
    """A verb, what comes before it, and where it ends."""

    before: Callable[[Stage], object]
    request: Callable[[Stage], Request]
    phase: Phase
    weights: list[tuple[str, int]]
    events: list[str]


def a_start(stage: Stage) -> Request:
    return stage.request("start", by=ALICE, start=stage.words(10))


def asked(stage: Stage) -> None:
    stage.started(10, wishes=Wishes(approve_at=(25,)))
    stage.step()


STORIES = {
    "start": Story(lambda stage: None, a_start, Phase.PROGRESSING, [(STABLE, 90), (CANARY, 10)], ["started"]),
    "advance": Story(
        lambda stage: stage.started(10),
        lambda stage: stage.request("advance"),
        Phase.PROGRESSING,
        [(STABLE, 75), (CANARY, 25)],
        ["started", "stepped"],
    ),
    "approve": Story(
        asked,
        lambda stage: stage.request("approve"),
        Phase.PROGRESSING,
        [(STABLE, 75), (CANARY, 25)],
        ["started", "approval_wanted", "approved", "stepped"],
    ),
    "roll back": Story(
        lambda stage: stage.started(10),
        lambda stage: stage.request("rollback"),
        Phase.ROLLED_BACK,
        [(STABLE, 1)],
        ["started", "rolled_back"],
    ),
}
EFFECTS = {"inbox": "receive", "save": "save", "patch": "write", "applied": "applied"}


def _cases() -> Iterator[tuple[str, str, bool]]:
    for story in STORIES:
        card = ["post of the card"] if story == "start" else []
        for effect in [*EFFECTS, *card, "update of the card"]:
            yield from ((story, effect, after) for after in (False, True))


@pytest.mark.parametrize(
    ("story", "effect", "after"),
    list(_cases()),
    ids=[f"{story} {'after' if after else 'before'} {effect}" for story, effect, after in _cases()],
)
def test_killed(theatre: Theatre, story: str, effect: str, after: bool) -> None:
    told, stage = STORIES[story], theatre.stage
    told.before(stage)
    theatre.settle()
    request = told.request(stage)
    methods = {**EFFECTS, "post of the card": "post", "update of the card": "update"}
    theatre.die(request, Death(methods[effect], after))
    theatre.restart()
    theatre.redeliver(request)
    entry = stage.engine.find(CANARY, "C0INFER001")
    assert (entry.rollout.phase, stage.world.weights(), entry.is_applied) == (told.phase, told.weights, True)
    assert stage.events(entry.rollout.id) == told.events
    assert len(theatre.slack.cards()) == 1
    assert _told(theatre) == list(range(1, len(told.events) + 1))


def _told(theatre: Theatre) -> list[int]:
    """Return the places in the event stream that the thread tells, in order: ``event:{id}:{first}-{last}``."""
    thread = theatre.slack.thread(theatre.slack.cards()[0]["ts"])
    spans = [message["blocks"][0]["block_id"].rsplit(":", 1)[1].split("-") for message in thread]
    return [place for first, last in spans for place in range(int(first), int(last) + 1)]
