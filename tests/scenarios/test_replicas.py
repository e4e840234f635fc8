"""Two replicas, every delivery twice, timers racing with clicks: one effect each."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from bot.domain.commands.request import Request
from bot.domain.errors import UserError
from bot.domain.plan import Wishes
from bot.domain.rollout import Phase
from bot.engine.engine import Engine
from tests.builders import BOB, CANARY, CAROL, STABLE
from tests.stage import Stage


def deliver(engine: Engine, request: Request) -> str:
    """Do what a replica does with one delivery, and say how it came out."""
    engine.receive(request)
    try:
        return "done" if engine.process(request) else "elsewhere"
    except UserError as error:
        return type(error).__name__


@pytest.mark.parametrize("round_", range(8))
def test_a_click_delivered_four_times_while_timers_fire_makes_one_step(stage: Stage, round_: int) -> None:
    entry = stage.started(10)
    stage.clock.forward(minutes=10)
    replicas = [stage.replica(stage.cluster, stage.store) for _ in range(2)]
    request = stage.request("advance", subject=entry.rollout.id, turn=entry.rollout.turn)
    with ThreadPoolExecutor(8) as pool:
        ticks = [pool.submit(replica.ticker.tick, entry.rollout.id) for replica in replicas]
        clicks = [pool.submit(deliver, replica.engine, request) for replica in replicas for _ in range(2)]
    assert [tick.result() for tick in ticks] == [None, None]
    answers = sorted(click.result() for click in clicks)
    # One delivery is answered: done, or refused because a timer was faster. The other three say nothing.
    assert answers.count("elsewhere") == 3
    assert set(answers) - {"elsewhere"} < {"done", "StaleError", "TransitionError"}
    stage.pass_time()
    assert stage.world.weights() == [(STABLE, 75), (CANARY, 25)]
    assert stage.events(entry.rollout.id) == ["started", "stepped"]


def test_two_people_who_approve_at_once_both_count(stage: Stage) -> None:
    stage.policy = replace(stage.policy, plan=replace(stage.policy.plan, approvals=2))
    stage.__post_init__()
    entry = stage.started(10, wishes=Wishes(approve_at=(25,)))
    stage.step()
    turn = stage.load(entry.rollout.id).rollout.turn
    replicas = [stage.replica(stage.cluster, stage.store) for _ in range(2)]
    requests = [stage.request("approve", subject=entry.rollout.id, by=by, turn=turn) for by in (BOB, CAROL)]
    with ThreadPoolExecutor(4) as pool:
        results = list(
            pool.map(deliver, [replica.engine for replica in replicas] * 2, [*requests, *reversed(requests)])
        )
    assert sorted(results) == ["done", "done", "elsewhere", "elsewhere"]
    assert stage.world.weights() == [(STABLE, 75), (CANARY, 25)]
    assert sorted(stage.events(entry.rollout.id)) == ["approval_wanted", "approved", "approved", "started", "stepped"]


@pytest.mark.parametrize("round_", range(8))
def test_a_roll_back_that_races_with_steps_of_both_replicas_wins(stage: Stage, round_: int) -> None:
    entry = stage.started(10)
    stage.clock.forward(minutes=10)
    replicas = [stage.replica(stage.cluster, stage.store) for _ in range(2)]
    brake, step = stage.request("rollback"), stage.request("advance")
    with ThreadPoolExecutor(8) as pool:
        ticks = [pool.submit(replica.ticker.tick, entry.rollout.id) for replica in replicas]
        steps = [pool.submit(deliver, replica.engine, step) for replica in replicas]
        brakes = [pool.submit(deliver, replica.engine, brake) for replica in replicas]
    assert [tick.result() for tick in ticks] == [None, None]
    assert {answer.result() for answer in steps} <= {"done", "elsewhere", "TransitionError"}
    assert sorted(answer.result() for answer in brakes) == ["done", "elsewhere"]
    stage.pass_time()
    assert (stage.world.weights(), stage.note_phase()) == ([(STABLE, 1)], Phase.ROLLED_BACK)
    assert stage.events(entry.rollout.id).count("rolled_back") == 1


def test_two_starts_on_one_route_at_once_make_one_rollout(stage: Stage) -> None:
    replicas = [stage.replica(stage.cluster, stage.store) for _ in range(2)]
    requests = [stage.request("start", start=stage.words(10)) for _ in range(2)]
    with ThreadPoolExecutor(4) as pool:
        results = sorted(pool.map(deliver, [replica.engine for replica in replicas], requests))
    assert results == ["SlotTakenError", "done"]
    assert len(stage.store.entries()) == 1
