"""What /metrics says of rollouts and operations on a real store."""

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from bot.domain.errors import ClusterError, StoreError
from bot.domain.gate import Finding, GateAnswer
from bot.domain.operation import OperationChange, OperationPhase
from bot.engine.operation_ports import SaveOperation
from bot.engine.store_port import Progress
from bot.service.metrics import OperationMetrics, RolloutMetrics
from sandbox.objects import pool_ref, rule
from tests.builders import CANARY, STABLE
from tests.failures import no_answer
from tests.operations import RUNNING, an_operation, an_operation_store
from tests.stage import Stage


def every_value(stage: Stage) -> dict[str, float]:
    """Return each value, as a replica that leads gives them."""
    registry = CollectorRegistry()
    registry.register(RolloutMetrics(stage.memory, lambda: True, stage.clock))
    lines = [line for line in generate_latest(registry).decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def values(stage: Stage) -> dict[str, float]:
    """Return each value that is not 0."""
    return {name: value for name, value in every_value(stage).items() if value}


def test_rollouts_are_counted_by_phase_and_with_what_is_not_written(stage: Stage) -> None:
    stage.started()
    found = {name: value for name, value in values(stage).items() if "rollout_" not in name}
    assert found == {"rolloutbot_leader": 1.0, 'rolloutbot_rollouts{phase="progressing"}': 1.0}


def test_each_rollout_shows_its_weights_its_phase_and_what_its_gates_said(stage: Stage) -> None:
    entry = stage.started(10)
    finding = Finding(gate="errors", answer=GateAnswer.HOLD)
    stage.store.learn(entry.rollout.id, entry.rollout.decision, Progress(findings=(finding,)))
    old, new = (
        f'namespace="{stage.world.namespace}",old_pool="{STABLE}"',
        f'pool="{CANARY}",route="{stage.world.route}"',
    )
    assert {name: value for name, value in values(stage).items() if "rollout_" in name} == {
        f'rolloutbot_rollout_weight_percent{{{old},{new},state="wanted"}}': 10.0,
        f'rolloutbot_rollout_weight_percent{{{old},{new},state="written"}}': 10.0,
        f'rolloutbot_rollout_weight_percent{{{old},{new},state="accepted"}}': 10.0,
        f'rolloutbot_rollout_phase{{{old},phase="progressing",{new}}}': 1.0,
        f'rolloutbot_rollout_gate{{answer="hold",gate="errors",{old},{new}}}': 1.0,
    }


def weights(stage: Stage) -> dict[str, float]:
    """Return each weight by its state, also those that are 0."""
    return {name.split('state="')[1][:-2]: value for name, value in every_value(stage).items() if "percent" in name}


def test_a_roll_back_that_the_api_server_refuses_stays_in_sight_until_it_is_on_the_route(stage: Stage) -> None:
    stage.started(50)
    stage.routes.always("write", no_answer)
    with pytest.raises(ClusterError):
        stage.say("rollback")
    assert (weights(stage), values(stage)["rolloutbot_unapplied"]) == ({"wanted": 0, "written": 50, "accepted": 50}, 1)
    stage.routes.always("write", lambda: None)
    stage.pass_time(minutes=1)
    assert values(stage) == {"rolloutbot_leader": 1.0}


def test_what_gates_said_of_a_finished_rollout_is_left_out(stage: Stage) -> None:
    entry = stage.started(10)
    stage.say("promote")
    stage.wait_observed()
    stage.pass_time(seconds=1)
    stage.say("finish")
    finding = Finding(gate="split", answer=GateAnswer.FAIL)
    finished = stage.load(entry.rollout.id).rollout
    assert stage.store.learn(finished.id, finished.decision, Progress(findings=(finding,)))
    found = values(stage)
    assert [name for name in found if "rollout_gate" in name] == []
    assert found['rolloutbot_rollouts{phase="finished"}'] == 1


def test_somebody_elses_weights_are_shown_as_written_and_nothing_as_accepted(stage: Stage) -> None:
    entry = stage.started(50)
    stage.world.edit_weights(20, 80)
    stage.applier.attempt(entry.rollout.id)
    assert weights(stage) == {"wanted": 50, "written": 80}


def test_where_nobody_can_say_what_share_the_route_has_none_is_shown_as_written(stage: Stage) -> None:
    entry = stage.started(50)
    stage.world.set_rules([rule([pool_ref(STABLE, 100)])])
    stage.applier.attempt(entry.rollout.id)
    assert weights(stage) == {"wanted": 50}


def test_it_shows_how_long_a_rollout_has_waited_for_people(stage: Stage) -> None:
    stage.started(10)
    stage.say("pause", reason="lunch")
    stage.clock.forward(minutes=5)
    waits = {name: value for name, value in values(stage).items() if "waits_for_people" in name}
    assert list(waits.values()) == [300.0]


def test_without_redis_it_says_whether_it_leads(stage: Stage) -> None:
    def away() -> None:
        raise StoreError("Redis does not answer.")

    stage.memory.always("entries", away)
    assert values(stage) == {"rolloutbot_leader": 1.0}


def test_a_start_of_the_bot_waits_for_no_redis_to_count(stage: Stage) -> None:
    stage.memory.calls.clear()
    CollectorRegistry(auto_describe=True).register(RolloutMetrics(stage.memory, lambda: True, stage.clock))
    assert stage.memory.calls == []


def test_operations_that_are_under_way_are_counted_by_phase(redis_url: str) -> None:
    store, registry = an_operation_store(redis_url), CollectorRegistry()
    registry.register(OperationMetrics(store.operations))
    for operation in (RUNNING, an_operation(id="o-00000002", subject="other", phase=OperationPhase.DONE)):
        store.operations.save(SaveOperation(change=OperationChange(after=operation), expected=None))
    lines = generate_latest(registry).decode().splitlines()[2:]
    counts = {"running": 1.0, "asking": 0.0, "cancelling": 0.0}
    assert lines == [f'rolloutbot_operations{{phase="{phase}"}} {count}' for phase, count in counts.items()]


def test_without_redis_nothing_is_said_of_operations() -> None:
    registry = CollectorRegistry()
    registry.register(OperationMetrics(an_operation_store("redis://127.0.0.1:1/0").operations))
    assert generate_latest(registry) == b""
