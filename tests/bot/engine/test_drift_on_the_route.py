"""Stories of somebody else's weights on a real API server, as the sweep sees them; test_noticing.py has the watch."""

import pytest

from bot.domain.decisions.drift import is_fight
from bot.domain.errors import ClusterError, TransitionError
from bot.domain.rollout import Phase, Rollout
from sandbox.kube import Object
from sandbox.objects import pool_ref, rule
from tests.builders import CANARY, STABLE
from tests.failures import no_answer
from tests.stage import Stage


def noticed(stage: Stage, rollout_id: str) -> Rollout:
    stage.audit.inspect()
    return stage.load(rollout_id).rollout


def accepted(stage: Stage) -> None:
    stage.wait_observed()
    stage.pass_time(seconds=1)


def test_after_two_undone_restores_we_stop_fighting_and_the_brake_still_works(stage: Stage) -> None:
    spec: Object = stage.world.http_route()["spec"]
    rollout_id = stage.started(10).rollout.id
    for _ in range(2):
        stage.world.edit_weights(100, 0, by="argocd-controller")
        assert not is_fight(noticed(stage, rollout_id))
        stage.say("restore")
        accepted(stage)
    stage.world.edit_weights(60, 40)
    assert noticed(stage, rollout_id).why == "`kubectl-edit` changed the weights (old/new): 90/10 before, 60/40 now."
    stage.world.edit_weights(100, 0, by="argocd-controller")
    assert noticed(stage, rollout_id).why == (
        "You are fighting `argocd-controller`, which undid 2 restores (changed the weights (old/new): 90/10 before, "
        "100/0 now). Add to the Application `ignoreDifferences: [{group: gateway.networking.k8s.io, kind: HTTPRoute, "
        "name: llm-route, jqPathExpressions: ['.spec.rules[].backendRefs']}]` and "
        "`syncOptions: [RespectIgnoreDifferences=true]`."
    )
    stage.say("rollback")
    assert stage.world.http_route()["spec"] == spec
    assert stage.events(rollout_id) == ["started", *["drifted", "restored"] * 2, *["drifted"] * 2, "rolled_back"]


def test_a_pause_of_a_restore_that_cannot_be_written_leaves_somebody_elses_weights(stage: Stage) -> None:
    rollout_id = stage.started(10).rollout.id
    stage.world.edit_weights(100, 0)
    noticed(stage, rollout_id)
    stage.routes.before("write", no_answer)
    with pytest.raises(ClusterError):
        stage.say("restore")
    stage.say("pause")
    entry = stage.load(rollout_id)
    assert (entry.rollout.phase, entry.rollout.drifted, entry.is_applied) == (Phase.PAUSED, True, True)
    assert stage.world.weights() == [(STABLE, 100), (CANARY, 0)]


def test_an_edit_after_the_one_that_is_adopted_is_not_overwritten(stage: Stage) -> None:
    rollout_id = stage.started(10).rollout.id
    stage.world.edit_weights(60, 40)
    noticed(stage, rollout_id)
    stage.memory.after("save", lambda: stage.world.edit_weights(100, 0))
    stage.say("adopt")
    assert (stage.load(rollout_id).rollout.phase, stage.world.weights()) == (
        Phase.PAUSED,
        [(STABLE, 100), (CANARY, 0)],
    )


def test_adopted_weights_are_the_current_step_and_the_rollout_goes_on_from_there(stage: Stage) -> None:
    rollout_id = stage.started(10).rollout.id
    stage.world.edit_weights(3, 2)
    noticed(stage, rollout_id)
    stage.say("adopt")
    assert stage.world.weights() == [(STABLE, 60), (CANARY, 40)]
    accepted(stage)
    stage.step()
    rollout = stage.load(rollout_id).rollout
    assert (stage.world.weights(), rollout.plan.steps) == ([(STABLE, 50), (CANARY, 50)], (10, 40, 50, 100))


def test_weights_that_were_put_back_are_shown_and_wait_for_a_person_all_the_same(stage: Stage) -> None:
    rollout_id = stage.started(10).rollout.id
    stage.world.edit_weights(60, 40)
    noticed(stage, rollout_id)
    stage.world.edit_weights(90, 10)
    rollout = noticed(stage, rollout_id)
    assert (rollout.phase, rollout.why) == (
        Phase.PAUSED,
        "`kubectl-edit` changed the bot's note on the route, or put the weights back: they are as before.",
    )
    with pytest.raises(TransitionError, match=r"`restore` writes 10 % again, `adopt` goes on from what is there"):
        stage.say("resume")
    assert stage.say("restore").rollout.phase is Phase.PROGRESSING
    assert stage.events(rollout_id) == ["started", "drifted", "restored"]


def test_a_rule_that_is_gone_is_drift_that_only_a_roll_back_or_an_end_leaves(stage: Stage) -> None:
    rollout_id = stage.started(10).rollout.id
    stage.world.edit({"spec": {"rules": [rule([pool_ref("another", 1)], "/another")]}})
    assert noticed(stage, rollout_id).why.endswith("90/10 before, the rule is gone now.")
    with pytest.raises(TransitionError, match="is gone from the route"):
        stage.say("restore")
    entry = stage.say("rollback")
    assert (entry.rollout.phase, entry.is_applied, stage.world.weights()) == (
        Phase.ROLLED_BACK,
        True,
        [("another", 1)],
    )
    assert entry.trouble is not None
    assert entry.trouble.reason == "I could not find rule 1 on the route, so nothing was written there."
