"""The same faults under a bot that holds a watch: what it keeps may be old, but never makes it write wrongly."""

import pytest

from bot.domain.errors import ClusterError
from bot.domain.rollout import Phase
from sandbox.faults import Fault
from sandbox.process import wait_until
from tests.builders import CANARY, STABLE
from tests.scenarios.outage import SAID, Outage

AT_0 = [(STABLE, 1)]
AT_25 = [(STABLE, 75), (CANARY, 25)]


@pytest.mark.parametrize("fault", sorted(SAID.keys() - {Fault.SLOW, Fault.RESET, Fault.UNAVAILABLE}))
def test_a_roll_back_is_written_right_after_the_fault_whatever_is_kept(outage: Outage, fault: Fault) -> None:
    stage = outage.stage
    outage.watch()
    rollout_id = stage.started(10).rollout.id
    with outage.of(fault), pytest.raises(ClusterError):
        stage.say("rollback")
    stage.pass_time(seconds=7)
    assert (stage.load(rollout_id).is_applied, stage.world.weights()) == (True, AT_0)
    assert {which for which, _ in outage.proxy.hits} == {fault}


@pytest.mark.parametrize("fault", [Fault.CUT, Fault.SILENT])
def test_a_step_and_a_roll_back_are_written_at_once_while_the_watch_is_lost(outage: Outage, fault: Fault) -> None:
    stage = outage.stage
    outage.watch()
    stage.started(10)
    outage.proxy.inject(fault, path="/httproutes")
    assert outage.proxy.hits == {(fault, "WATCH httproutes"): 1}
    stage.world.kube.merge(stage.world.route_path(), {"spec": {"hostnames": ["llm.example.com"]}})
    stage.say("advance")
    assert stage.world.weights() == AT_25
    stage.say("rollback")
    assert stage.world.weights() == AT_0
    assert stage.world.http_route()["spec"]["hostnames"] == ["llm.example.com"]


def test_a_route_that_is_deleted_behind_a_silent_watch_ends_its_rollout(outage: Outage) -> None:
    stage = outage.stage
    outage.watch()
    rollout_id = stage.started(10).rollout.id
    outage.proxy.inject(Fault.SILENT)
    stage.world.delete_route()
    stage.pass_time(minutes=10)
    entry = stage.load(rollout_id)
    assert (entry.rollout.phase, entry.is_applied, entry.trouble) == (Phase.ENDED, True, None)
    assert stage.events(rollout_id) == ["started", "stepped", "ended"]


def test_a_route_that_is_deleted_while_it_is_watched_ends_its_rollout_at_the_first_look(outage: Outage) -> None:
    stage = outage.stage
    outage.watch()
    rollout_id = stage.started(10).rollout.id
    stage.world.delete_route()
    wait_until("the news", lambda: stage.cluster.kept(stage.world.namespace, stage.world.route) is None)
    stage.routes.calls.clear()
    stage.applier.apply(rollout_id)
    assert stage.routes.calls.count("read") == 1
    assert (stage.load(rollout_id).rollout.phase, stage.events(rollout_id)) == (Phase.ENDED, ["started", "ended"])
