"""`start … mirror=10`: a copy of the requests goes to the new pool before any of them does, and no longer than that."""

from typing import Any

import pytest

from bot.domain.access import Access
from bot.domain.errors import ClusterError, TransitionError, UserError
from bot.domain.plan import Wishes
from bot.domain.prose import plain
from bot.domain.rollout import Phase
from bot.domain.sentences.what_happened import told
from bot.domain.sentences.what_it_waits_for import waits, why
from bot.domain.sentences.where_it_stands import headword, state
from bot.engine.notes import own_note
from sandbox.objects import pool_ref
from tests.builders import CANARY, STABLE
from tests.failures import no_answer, refused
from tests.stage import Stage

MIRROR = Wishes(approve_at=(), mirror=10)
OURS: dict[str, Any] = {
    "type": "RequestMirror",
    "requestMirror": {
        "backendRef": {"group": "inference.networking.k8s.io", "kind": "InferencePool", "name": CANARY},
        "percent": 10,
    },
}
AS_BEFORE = [(STABLE, 1)]


def filters(stage: Stage) -> Any:
    return stage.world.http_route()["spec"]["rules"][0].get("filters")


def mirroring(stage: Stage) -> str:
    """Start with a mirror, and wait until the gateway has it."""
    return stage.started(10, wishes=MIRROR).rollout.id


def test_requests_are_copied_for_one_interval_and_the_first_weight_ends_that(stage: Stage) -> None:
    rollout_id = mirroring(stage)
    entry = stage.load(rollout_id)
    assert (entry.rollout.phase, entry.rollout.weight) == (Phase.PROGRESSING, 0)
    assert (stage.world.weights(), filters(stage)) == (AS_BEFORE, [OURS])
    stage.pass_time(minutes=10)
    assert (stage.world.weights(), filters(stage)) == ([(STABLE, 90), (CANARY, 10)], None)
    stage.wait_observed()
    stage.pass_time(seconds=1)
    stage.step()
    assert stage.world.weights() == [(STABLE, 75), (CANARY, 25)]
    assert stage.events(rollout_id) == ["started", "stepped", "stepped"]


def test_what_people_read_of_it(stage: Stage) -> None:
    entry = stage.load(mirroring(stage))
    assert headword(entry) == "mirrors 10 %"
    lines = plain(state(entry, Access()), str).splitlines()
    assert lines[0] == f"`{CANARY}` gets a copy of 10 % of the requests; nobody sees its answers."
    assert lines[1].startswith("Next: 10 % at ")
    assert "It copies 10 % of the requests before 10 %" in plain(why(waits(entry, Access())), str)
    said = [plain(each, str) for each in told(stage.store.events(entry.rollout.id, 0), entry)]
    assert said == [f"U0ALICE001 started the rollout with a mirror of 10 %, from `{STABLE}`."]


def test_advance_ends_the_mirror_now(stage: Stage) -> None:
    mirroring(stage)
    stage.say("advance")
    assert (stage.world.weights(), filters(stage)) == ([(STABLE, 90), (CANARY, 10)], None)


def test_a_roll_back_takes_the_mirror_out(stage: Stage) -> None:
    before = stage.world.http_route()["spec"]
    mirroring(stage)
    stage.say("rollback")
    assert stage.world.http_route()["spec"] == before


def test_a_roll_back_from_the_route_alone_takes_the_mirror_out(stage: Stage) -> None:
    before = stage.world.http_route()["spec"]
    mirroring(stage)
    stage.engine.brake(stage.request("rollback"))
    assert stage.world.http_route()["spec"] == before


def test_after_redis_is_lost_it_is_known_that_the_mirror_is_ours(stage: Stage) -> None:
    rollout_id = mirroring(stage)
    stage.lose_redis()
    assert stage.load(rollout_id).rollout.mirror == 10
    stage.say("rollback")
    assert filters(stage) is None


def test_a_pause_before_the_mirror_is_written_takes_it_back(stage: Stage) -> None:
    stage.routes.after("write", lambda: stage.routes.always("write", no_answer))  # the first one is a rehearsal
    with pytest.raises(ClusterError):
        stage.start(10, wishes=MIRROR)
    with pytest.raises(ClusterError):
        stage.say("pause")
    stage.routes.always("write", lambda: None)
    stage.pass_time(minutes=1)
    note = own_note(stage.copy())
    assert note is not None
    assert (note.phase, note.mirror, filters(stage)) == (Phase.PAUSED, 0, None)


@pytest.mark.parametrize(("percent", "found"), [(0, "1/– now"), (50, "1/– and 50 % mirrored now")])
def test_somebody_who_changes_our_mirror_pauses_the_rollout_and_restore_writes_it_again(
    stage: Stage, percent: int, found: str
) -> None:
    rollout_id = mirroring(stage)
    theirs: dict[str, Any] = {**OURS, "requestMirror": {**OURS["requestMirror"], "percent": percent}}
    rule = {**stage.world.http_route()["spec"]["rules"][0], "filters": [theirs] if percent else []}
    stage.world.set_rules([rule])
    stage.audit.inspect()
    rollout = stage.load(rollout_id).rollout
    assert rollout.phase is Phase.PAUSED
    assert f"changed the weights (old/new): 1/– and 10 % mirrored before, {found}." in rollout.why
    stage.say("restore")
    assert filters(stage) == [OURS]


def test_a_mirror_that_the_api_server_refuses_ends_the_start(stage: Stage) -> None:
    stage.routes.after("write", lambda: stage.routes.always("write", refused))  # the first one is a rehearsal
    rollout_id = stage.start(10, wishes=MIRROR).rollout.id
    assert (stage.load(rollout_id).rollout.phase, filters(stage)) == (Phase.REFUSED, None)


def test_weights_that_somebody_sets_before_the_mirror_can_be_adopted(stage: Stage) -> None:
    stage.world.set_servers_ready(CANARY, 0)
    rollout_id = stage.start(10, wishes=MIRROR).rollout.id
    assert stage.load(rollout_id).rollout.phase is Phase.HOLDING
    stage.world.set_weights({STABLE: 80, CANARY: 20})
    stage.audit.inspect()
    stage.say("adopt")
    plan = stage.load(rollout_id).rollout.plan
    assert (plan.mirror, plan.steps[0], stage.world.weights()) == (0, 20, [(STABLE, 80), (CANARY, 20)])
    assert stage.say("rollback").rollout.phase is Phase.ROLLED_BACK


def test_nobody_leaves_a_mirror_behind(stage: Stage) -> None:
    mirroring(stage)
    with pytest.raises(TransitionError) as stopped:
        stage.say("end")
    assert str(stopped.value) == (
        f"The route would go on copying 10 % of the requests to `{CANARY}`. `rollback` takes that out, and no weight "
        "has moved yet."
    )


def test_a_new_pool_that_has_traffic_already_is_not_mirrored_to(stage: Stage) -> None:
    stage.world.set_weights({STABLE: 95, CANARY: 5})
    with pytest.raises(UserError) as refused:
        stage.start(10, wishes=MIRROR)
    assert str(refused.value) == f"`rule 1` sends requests to `{CANARY}` already. Start without `mirror=`."


def test_a_mirror_of_somebody_else_stays_through_the_whole_rollout(stage: Stage) -> None:
    ref = {key: value for key, value in pool_ref(STABLE, 1).items() if key != "weight"}
    theirs = {"type": "RequestMirror", "requestMirror": {"backendRef": ref, "percent": 1}}
    rule = stage.world.http_route()["spec"]["rules"][0]
    stage.world.set_rules([{**rule, "filters": [theirs]}])
    mirroring(stage)
    assert filters(stage) == [theirs, OURS]
    stage.pass_time(minutes=10)
    assert filters(stage) == [theirs]
