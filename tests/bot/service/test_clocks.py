"""Two replicas whose machines' clocks are 5 s apart: what people say after a decision comes after it."""

from dataclasses import dataclass

import pytest

from bot.domain.commands.request import Command, Request
from bot.domain.plan import Wishes
from bot.domain.rollout import Entry, Phase
from bot.engine.ports import Clock
from bot.engine.store_port import Progress
from bot.service.parts import Parts, put_together
from bot.store.clock import RedisClock
from tests.bot.store.test_clock import WrongClock
from tests.builders import ALICE, BOB, CANARY, IN_CHANNEL, STABLE
from tests.memory import a_memory
from tests.stage import Stage

AT_10, AT_25 = [(STABLE, 90), (CANARY, 10)], [(STABLE, 75), (CANARY, 25)]


@dataclass
class Replica:
    """One replica, whose machine's clock is wrong."""

    stage: Stage
    parts: Parts
    clock: Clock
    said: int = 0

    def say(self, verb: str, *, by: str = BOB, subject: str = CANARY, **words: object) -> Entry:
        self.said += 1
        command = Command(verb=verb, subject=subject, **words)  # type: ignore[arg-type]
        delivery = f"{self.stage.world.namespace}-{id(self)}-{self.said}"
        now = self.clock.now()
        request = Request(command=command, by=by, origin=IN_CHANNEL, delivery=delivery, at=now)
        self.parts.engine.receive(request)
        outcome = self.parts.engine.process(request)
        assert outcome is not None
        return outcome.entry

    def start(self, weight: int = 10, wishes: Wishes | None = None) -> Entry:
        return self.say("start", by=ALICE, start=self.stage.words(weight, wishes))

    def hears_the_gateway(self, entry: Entry) -> None:
        self.stage.wait_observed()
        rollout = entry.rollout
        self.stage.store.learn(rollout.id, rollout.decision, Progress(due=self.clock.now()))
        self.parts.ticker.tick(rollout.id)


def a_replica(stage: Stage, seconds: float) -> Replica:
    clock = RedisClock(stage.redis, WrongClock(seconds))
    clock.ask()
    memory = a_memory(stage.redis)
    return Replica(stage, put_together(stage.cluster, memory.store, memory.for_rebuild, clock, stage.policy), clock)


@pytest.fixture(params=[5, -5], ids=["the one that decides is ahead", "the one that decides is behind"])
def two(request: pytest.FixtureRequest, stage: Stage) -> tuple[Replica, Replica]:
    """Return who decides, and who receives what people say next."""
    return a_replica(stage, request.param), a_replica(stage, 0)


def test_a_step_is_asked_for_after_the_start(two: tuple[Replica, Replica]) -> None:
    first, other = two
    first.hears_the_gateway(first.start())
    other.say("advance")
    assert first.stage.world.weights() == AT_25


def test_an_approval_comes_after_the_question(two: tuple[Replica, Replica]) -> None:
    first, other = two
    first.hears_the_gateway(first.start(10, Wishes(approve_at=(25,))))
    first.say("advance")
    other.say("approve")
    assert first.stage.world.weights() == AT_25


def test_a_brake_without_a_name_means_what_was_started_after_the_last_one(two: tuple[Replica, Replica]) -> None:
    first, other = two
    first.start()
    first.say("rollback")
    second = first.start(25)
    assert other.say("rollback", subject="").rollout.id == second.rollout.id
    assert first.stage.world.weights() == [(STABLE, 1)]


def test_a_brake_after_a_brake_is_carried_out_once_more(two: tuple[Replica, Replica]) -> None:
    first, other = two
    first.start()
    first.say("rollback")
    assert other.say("rollback").rollout.phase is Phase.ROLLED_BACK
