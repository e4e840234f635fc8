"""A brake takes its copy of the route before it is saved; what happens meanwhile, the guards and a second look find."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from bot.domain.rollout import Phase
from k8s.document import ANNOTATION
from sandbox.process import wait_until
from tests.builders import CANARY, STABLE
from tests.stage import Stage

BACK = [(STABLE, 1)]


def nothing(*_: Any) -> None:
    """Hear nothing."""


@pytest.fixture
def watched(stage: Stage) -> Stage:
    """Return a stage whose cluster keeps copies, with a rollout at 10 %."""
    stage.cluster.watch(route_changed=nothing, route_gone=nothing, pool_gone=nothing)
    wait_until("a copy", lambda: stage.cluster.kept(stage.world.namespace, stage.world.route) is not None, seconds=10)
    stage.started(10)
    return stage


def test_a_roll_back_asks_the_store_for_nothing_between_its_save_and_its_write(watched: Stage) -> None:
    order: list[str] = []
    for port, methods in ((watched.memory, ("save", "load")), (watched.routes, ("kept", "read", "write"))):
        for method in methods:
            port.always(method, partial(order.append, method))
    watched.say("rollback")
    saved = order.index("save")
    assert (order[saved - 1 : saved + 2], watched.world.weights()) == (["kept", "save", "write"], BACK)


def step_on(stage: Stage) -> None:
    stage.elsewhere("advance")


def edit(stage: Stage) -> None:
    stage.world.edit_weights(40, 60)


def remove_the_note(stage: Stage) -> None:
    stage.world.set_annotations({ANNOTATION: None})


def create_again(stage: Stage) -> None:
    route = stage.world.http_route()
    stage.world.kube.delete(stage.world.route_path())
    meta = {key: route["metadata"][key] for key in ("name", "namespace", "annotations")}
    stage.world.kube.create(
        {"apiVersion": route["apiVersion"], "kind": route["kind"], "metadata": meta, "spec": route["spec"]}
    )


@pytest.mark.parametrize("meddle", [edit, remove_the_note])
def test_what_somebody_does_between_the_copy_and_the_save_does_not_stop_a_roll_back(
    watched: Stage, meddle: Callable[[Stage], None]
) -> None:
    watched.memory.before("save", lambda: meddle(watched))
    rollout = watched.say("rollback").rollout
    assert (rollout.phase, watched.world.weights(), watched.note_phase()) == (
        Phase.ROLLED_BACK,
        BACK,
        Phase.ROLLED_BACK,
    )


def test_a_step_of_another_replica_in_between_is_rolled_back_too(watched: Stage) -> None:
    watched.memory.before("save", lambda: step_on(watched))
    rollout = watched.say("rollback").rollout
    assert (rollout.phase, rollout.revision, watched.world.weights()) == (Phase.ROLLED_BACK, 4, BACK)


def test_a_route_that_is_created_again_in_between_is_left_alone(watched: Stage) -> None:
    watched.memory.before("save", lambda: create_again(watched))
    entry = watched.say("rollback")
    watched.pass_time(seconds=2)
    assert watched.load(entry.rollout.id).rollout.is_over
    assert watched.world.weights() == [(STABLE, 90), (CANARY, 10)]


def test_a_pause_before_the_last_step_was_written_takes_that_back(watched: Stage) -> None:
    watched.memory.before("applied", lambda: watched.elsewhere("pause"))
    watched.say("advance")
    note = watched.note()
    assert note is not None
    assert note.phase is Phase.PAUSED
    assert dict(watched.world.weights())[CANARY] == note.weight
