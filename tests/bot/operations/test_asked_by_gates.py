"""What begins because a gate waits for it: warm-ups and comparisons."""

from dataclasses import dataclass, field

import pytest

from bot.domain.comparison import slot_of as comparison_of
from bot.domain.decisions.moves import Moment
from bot.domain.decisions.of_operations import fail, finish
from bot.domain.errors import UserError
from bot.domain.events import EventKind
from bot.domain.operation import Operation
from bot.domain.rollout import Acceptance, Entry, Rollout
from bot.domain.warm_up import slot_of as warm_up_of
from bot.engine.operation_ports import SaveOperation
from bot.operations.asked_by_gates import Comparisons, WarmUps
from bot.operations.by_itself import ByItself
from bot.operations.executor import Begun, Tools
from bot.operations.registry import Registry
from bot.operations.requests import OperationRequests
from bot.service.operations import tell_trouble
from sandbox.gateway import Answer
from sandbox.robot import Robot
from tests.bot.operations.scripted import Scripted, Works
from tests.builders import CANARY
from tests.operations import OperationStore
from tests.stage import Stage


@dataclass
class InSlot(Scripted):
    """An executor that does nothing, in a slot of its own."""

    slot: str = ""
    ready: tuple[str, ...] = ()
    refuses: str = ""

    def begin(self, asked: object, tools: Tools) -> Begun:
        if self.refuses:
            raise UserError(self.refuses)
        return Begun(subject=CANARY, state={"ready": list(self.ready)}, slot=self.slot)


@dataclass
class Watching:
    """A stage with a rollout, and processes that look at it."""

    stage: Stage
    again: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    def warm_ups(self) -> WarmUps:
        """Return what a process that has just begun has."""
        entry = self.entry()
        ready = self.stage.cluster.members(entry.rollout.canary).ready
        executor = InSlot(name="warm", slot=warm_up_of(entry.rollout.canary), ready=ready)
        return WarmUps(
            self._by_itself(executor), self.stage.kept.operations, self.stage.cluster, self.ask_again, self.tell
        )

    def comparisons(self, *, refuses: str = "") -> Comparisons:
        executor = InSlot(name="compare", slot=comparison_of(self.entry().rollout), refuses=refuses)
        return Comparisons(self._by_itself(executor), self.stage.kept.operations, self.ask_again, self.tell)

    def ask_again(self, entry: Entry) -> None:
        self.again.append(entry.rollout.id)

    def tell(self, rollout: Rollout, why: str) -> None:
        self.told.append(why)

    def entry(self) -> Entry:
        (entry,) = self.stage.store.entries()
        return entry

    def only(self) -> Operation:
        (operation,) = self.stage.kept.operations.under_way()
        return operation

    def end(self, *, well: bool = True) -> None:
        """End the only operation."""
        operation, moment = self.only(), Moment(now=self.stage.clock.now(), decision="ended")
        change = finish(operation, operation.state, "", moment) if well else fail(operation, "No.", "", moment)
        self.stage.kept.operations.save(SaveOperation(change=change, expected=operation.decision))

    def _by_itself(self, executor: Scripted) -> ByItself:
        store, clock = self.stage.store, self.stage.clock
        kept = OperationStore(self.stage.redis, store, self.stage.kept.operations)
        tools = Works(kept, clock=clock).tools
        requests = OperationRequests(
            Registry((executor,)), kept.operations, tools, receive=store.receive, drop=store.drop
        )
        return ByItself(store.entries, requests.decide, clock, receive=store.receive, drop=store.drop)


@pytest.fixture
def watching(stage: Stage) -> Watching:
    return Watching(stage)


def test_a_cold_pool_is_warmed_up_once_whoever_looks(watching: Watching) -> None:
    watching.stage.started(10)
    for _ in range(3):
        watching.warm_ups().look()
    assert (watching.only().kind, watching.only().reason) == ("warm", "as new model servers have come")
    watching.end()
    watching.warm_ups().look()
    assert watching.stage.kept.operations.under_way() == []


def test_a_warm_up_that_failed_is_left_to_people(watching: Watching) -> None:
    watching.stage.started(10)
    watching.warm_ups().look()
    watching.end(well=False)
    watching.warm_ups().look()
    assert watching.stage.kept.operations.under_way() == []


def test_a_warm_up_that_failed_before_the_rollout_is_not_its_own(watching: Watching) -> None:
    watching.stage.started(10)
    watching.warm_ups().look()
    watching.end(well=False)
    watching.stage.say("rollback")
    watching.stage.pass_time(minutes=1)
    watching.stage.started(10)
    watching.warm_ups().look()
    assert watching.only().started_at >= watching.entry().rollout.started_at


def test_servers_that_come_later_are_warmed_up_too(watching: Watching) -> None:
    watching.stage.started(10)
    watching.stage.world.set_servers_ready(CANARY, 1)
    watching.warm_ups().look()
    watching.end()
    watching.stage.world.set_servers_ready(CANARY, 2)
    watching.warm_ups().look()
    assert len(watching.only().state["ready"]) == 2


def test_a_pool_without_ready_servers_or_a_rollout_that_is_paused_is_left_alone(watching: Watching) -> None:
    watching.stage.started(10)
    watching.stage.world.set_servers_ready(CANARY, 0)
    watching.warm_ups().look()
    watching.stage.world.set_servers_ready(CANARY, 2)
    watching.stage.say("pause")
    watching.warm_ups().look()
    assert watching.stage.kept.operations.under_way() == []


def test_a_rollout_that_is_held_hears_of_the_end_at_once(watching: Watching) -> None:
    watching.stage.world.set_servers_ready(CANARY, 0)
    watching.stage.start(10)
    watching.stage.world.set_servers_ready(CANARY, 2)
    watching.warm_ups().look()
    assert watching.only().reason == "before the first weight"
    watching.end()
    process = watching.warm_ups()
    for _ in range(2):
        process.look()
    assert watching.again == [watching.entry().rollout.id]
    watching.stage.clock.forward(seconds=20)
    watching.warm_ups().look()
    assert len(watching.again) == 1


def test_what_redis_has_lost_is_begun_again_by_the_same_process(watching: Watching) -> None:
    watching.stage.started(10)
    process = watching.warm_ups()
    process.look()
    first = watching.only().id
    for key in watching.stage.redis.scan_iter("*last:*"):
        watching.stage.redis.delete(key)
    watching.end()
    process.look()
    assert watching.stage.kept.operations.under_way() == []
    watching.stage.clock.forward(seconds=61)
    process.look()
    assert watching.only().id != first


def test_what_redis_has_lost_is_begun_under_another_id(watching: Watching) -> None:
    watching.stage.started(10)
    watching.warm_ups().look()
    first = watching.only()
    operations, redis = watching.stage.kept.operations, watching.stage.redis
    watching.end()
    for key in (*redis.scan_iter("*last:*"), *redis.scan_iter("*seen:*")):
        redis.delete(key)
    watching.stage.clock.forward(seconds=1)
    watching.warm_ups().look()
    assert watching.only().id != first.id
    assert operations.load(first.id) is not None


def test_what_cannot_begin_is_told_once_and_tried_again(watching: Watching) -> None:
    watching.stage.started(10)
    comparisons = watching.comparisons(refuses="No prompts.")
    for _ in range(3):
        comparisons.look()
        watching.stage.clock.forward(seconds=61)
    assert watching.told == ["A gate waits for `compare`, which could not begin: No prompts."]


def test_what_another_process_could_not_begin_is_begun_at_once(watching: Watching) -> None:
    watching.stage.started(10)
    refused = watching.comparisons(refuses="No prompts.")
    for _ in range(3):
        refused.look()
        watching.stage.clock.forward(seconds=61)
    watching.comparisons().look()
    assert watching.only().kind == "compare"


def test_a_pool_that_has_all_the_traffic_is_not_warmed_up(watching: Watching) -> None:
    watching.stage.started(100)
    watching.warm_ups().look()
    assert watching.stage.kept.operations.under_way() == []


def test_answers_are_compared_once_the_gateway_has_the_first_weight(watching: Watching) -> None:
    watching.stage.start(10)
    watching.comparisons().look()
    assert watching.stage.kept.operations.under_way() == []
    watching.stage.wait_observed()
    watching.stage.pass_time(seconds=1)
    for _ in range(3):
        watching.comparisons().look()
    assert (watching.only().kind, watching.only().reason) == ("compare", "the gate `quality` waits for votes")
    watching.end(well=False)
    watching.comparisons().look()
    assert watching.stage.kept.operations.under_way() == []


def test_answers_are_compared_too_where_the_gateway_never_says_that_it_takes_a_route(
    watching: Watching, robot: Robot
) -> None:
    robot.answer = Answer(silent=True)
    rollout_id = watching.stage.start(10).rollout.id
    for seconds in (1, 60):
        watching.stage.pass_time(seconds=seconds)
    assert watching.stage.load(rollout_id).acceptance is Acceptance.UNKNOWN
    watching.comparisons().look()
    assert watching.only().kind == "compare"


def test_people_hear_what_could_not_begin_also_if_the_rollout_moves_on_meanwhile(watching: Watching) -> None:
    stale = watching.stage.started(10).rollout
    watching.stage.say("pause")
    tell_trouble(watching.stage.store, watching.stage.clock, stale, "A gate waits for `warm`.")
    *_, told = watching.stage.store.events(stale.id, 0)
    assert (told.kind, told.reason) == (EventKind.TROUBLE, "A gate waits for `warm`.")
