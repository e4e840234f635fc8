"""Trials that begin by themselves after the steps of a rollout."""

from dataclasses import dataclass

import pytest

from bot.domain.operation import Operation
from bot.operations.by_itself import ByItself
from bot.operations.registry import Registry
from bot.operations.requests import OperationRequests
from bot.operations.trials_after_steps import FORGET_AFTER, TrialsAfterSteps
from tests.bot.operations.scripted import Scripted, Works
from tests.builders import ALICE, CANARY
from tests.operations import OperationStore
from tests.stage import Stage


@dataclass
class Watching:
    """A stage, and what begins trials on it."""

    stage: Stage

    def look(self) -> None:
        """Let a process that has just begun look once."""
        self.process().look()

    def process(self) -> TrialsAfterSteps:
        """Return what one process has."""
        store = self.stage.store
        decide = self.requests.decide
        return TrialsAfterSteps(
            ByItself(store.entries, decide, self.stage.clock, receive=store.receive, drop=store.drop)
        )

    @property
    def requests(self) -> OperationRequests:
        """Return what decides requests; its trials do nothing."""
        store, kept = self.stage.store, OperationStore(self.stage.redis, self.stage.store, self.stage.kept.operations)
        works = Works(kept, clock=self.stage.clock)
        registry = Registry((Scripted(name="try"),))
        return OperationRequests(registry, kept.operations, works.tools, receive=store.receive, drop=store.drop)

    def begun(self) -> list[str]:
        """Return why each trial began, oldest first."""
        found = sorted(self.stage.kept.operations.under_way(), key=lambda each: each.started_at)
        return [each.reason for each in found]

    def only(self) -> Operation:
        """Return the only trial."""
        (operation,) = self.stage.kept.operations.under_way()
        return operation


@pytest.fixture
def watching(stage: Stage) -> Watching:
    return Watching(stage)


def test_a_step_that_the_gateway_has_accepted_is_tried_out(watching: Watching) -> None:
    entry = watching.stage.started(10)
    watching.look()
    trial = watching.only()
    where = {"route": entry.rollout.route, "namespace": entry.rollout.namespace}
    assert (trial.kind, trial.subject, trial.started_by) == ("try", CANARY, ALICE)
    assert (trial.parameters, trial.reason) == (where, "after the step to 10 %")


def test_each_step_is_tried_out_once_whoever_looks(watching: Watching) -> None:
    watching.stage.started(10)
    for _ in range(3):
        watching.look()
    assert watching.begun() == ["after the step to 10 %"]


def test_a_step_before_the_gateways_word_is_not(watching: Watching) -> None:
    watching.stage.start(10)
    watching.look()
    assert watching.begun() == []


def test_a_step_of_long_ago_is_not(watching: Watching) -> None:
    watching.stage.started(10)
    watching.stage.clock.forward(seconds=FORGET_AFTER.total_seconds())
    watching.look()
    assert watching.begun() == []


def test_a_rollout_that_is_rolled_back_is_not(watching: Watching) -> None:
    watching.stage.started(10)
    watching.stage.say("rollback")
    watching.stage.wait_observed()
    watching.stage.pass_time(seconds=1)
    watching.look()
    assert watching.begun() == []


def test_a_trial_that_somebody_has_begun_is_left_alone(watching: Watching) -> None:
    process = watching.process()
    watching.stage.started(10)
    process.look()
    first = watching.only()
    watching.stage.step()
    process.look()
    assert watching.only() == first
    assert watching.stage.store.requests(watching.stage.clock.now()) == []
