import itertools
import secrets
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.access import Access
from bot.domain.decisions.start import rollout_id
from bot.domain.errors import NotAllowedError, RouteError, SlotTakenError
from bot.domain.plan import Wishes
from bot.domain.rollout import Acceptance, Phase
from bot.domain.sentences.gates import hold_reason, keeps_stable
from bot.domain.sentences.what_it_waits_for import waits, why
from bot.domain.sentences.where_it_stands import state
from bot.engine.guard import LOST_GUARDS
from sandbox.breaking import break_world
from sandbox.gateway import Answer
from sandbox.kube import Object
from sandbox.robot import Robot
from tests.builders import ALICE, BOB, CANARY, STABLE
from tests.memory import PREFIX
from tests.stage import Stage


def spec(stage: Stage) -> Object:
    return stage.world.http_route()["spec"]  # type: ignore[no-any-return]


def test_a_start_splits_the_route(stage: Stage) -> None:
    entry = stage.start(10)
    assert stage.world.weights() == [(STABLE, 90), (CANARY, 10)]
    assert (entry.rollout.phase, entry.is_applied) == (Phase.STARTING, True)


def test_the_timer_steps_it_to_the_end_as_the_guide_does(stage: Stage) -> None:
    rollout_id = stage.started(10).rollout.id
    seen = [stage.world.weights()]
    for _ in range(3):
        stage.step()
        seen.append(stage.world.weights())
    assert seen == [[(STABLE, 100 - w), (CANARY, w)] for w in (10, 25, 50, 100)]
    assert stage.load(rollout_id).rollout.phase is Phase.PROMOTED
    stage.pass_time(minutes=30)
    assert stage.world.weights() == [(CANARY, 100)]
    assert stage.load(rollout_id).rollout.phase is Phase.FINISHED
    assert stage.events(rollout_id) == ["started", "stepped", "stepped", "promoted", "finished"]


def test_a_roll_back_returns_the_spec_to_what_it_was(stage: Stage) -> None:
    before = spec(stage)
    stage.started(10)
    stage.step()
    entry = stage.say("rollback", reason="errors")
    assert spec(stage) == before
    assert (entry.rollout.phase, stage.note_phase()) == (Phase.ROLLED_BACK, Phase.ROLLED_BACK)


def test_a_roll_back_is_carried_out_before_anybody_counts_pods(stage: Stage) -> None:
    stage.started(10)
    request = stage.request("rollback")
    stage.engine.receive(request)
    stage.routes.calls.clear()
    entry = stage.engine.carry_out(request)
    assert (entry and entry.is_applied, "readiness" in stage.routes.calls) == (True, False)


def test_a_roll_back_that_comes_after_another_persons_returns_theirs(stage: Stage) -> None:
    stage.started(10)
    waiting, own = (stage.request("rollback", by=by) for by in (BOB, ALICE))
    for request in (waiting, own):
        stage.engine.receive(request)
    stage.clock.forward(seconds=1)
    theirs = stage.load(stage.say("rollback", by=ALICE).rollout.id)
    assert [stage.engine.carry_out(request) for request in (waiting, own)] == [theirs, None]
    assert (stage.events(theirs.rollout.id).count("rolled_back"), stage.store.requests(stage.clock.now())) == (1, [])


def test_a_roll_back_from_finished_puts_the_stable_pool_back(stage: Stage) -> None:
    before = spec(stage)
    stage.started(100)
    stage.pass_time(minutes=30)
    assert stage.world.weights() == [(CANARY, 100)]
    stage.say("rollback")
    assert spec(stage) == before


def test_an_approval_stops_it_until_another_person_approves(stage: Stage) -> None:
    rollout_id = stage.started(10, wishes=Wishes(approve_at=(25,))).rollout.id
    stage.step()
    assert stage.load(rollout_id).rollout.phase is Phase.AWAITING_APPROVAL
    assert stage.world.weights() == [(STABLE, 90), (CANARY, 10)]
    stage.say("approve", by=BOB)
    assert stage.world.weights() == [(STABLE, 75), (CANARY, 25)]


def test_a_first_weight_that_needs_approval_waits_at_zero(stage: Stage) -> None:
    before = spec(stage)
    entry = stage.start(50, wishes=Wishes(approve_at=(50,)))
    assert (entry.rollout.phase, spec(stage)) == (Phase.AWAITING_APPROVAL, before)
    assert stage.note_phase() is Phase.AWAITING_APPROVAL
    stage.say("approve", by=BOB)
    assert stage.world.weights() == [(STABLE, 50), (CANARY, 50)]


def test_a_finished_rollout_makes_room_for_the_way_back(stage: Stage) -> None:
    first = stage.started(100).rollout.id
    stage.pass_time(minutes=30)
    back = stage.start(20, subject=STABLE)
    assert stage.world.weights() == [(CANARY, 80), (STABLE, 20)]
    stage.pass_time(seconds=1)
    assert stage.load(first).rollout.phase is Phase.ENDED
    assert back.rollout.canary.name == STABLE


def test_finish_does_not_wait_for_the_bake(stage: Stage) -> None:
    stage.started(100)
    entry = stage.say("finish")
    assert (entry.rollout.phase, stage.world.weights()) == (Phase.FINISHED, [(CANARY, 100)])


def test_end_stops_managing_the_route_and_leaves_the_weights(stage: Stage) -> None:
    stage.started(10)
    stage.say("end")
    assert (stage.world.weights(), stage.note_phase()) == ([(STABLE, 90), (CANARY, 10)], Phase.ENDED)


def test_promote_jumps_to_100(stage: Stage) -> None:
    stage.started(10)
    entry = stage.say("promote")
    assert (entry.rollout.phase, stage.world.weights()) == (Phase.PROMOTED, [(STABLE, 0), (CANARY, 100)])


def test_a_start_on_a_route_that_somebody_with_a_fast_clock_has_used_is_a_later_one_all_the_same(stage: Stage) -> None:
    first = stage.started(10).rollout
    stage.say("rollback")
    stage.clock.forward(hours=-1)
    second = stage.start(25).rollout
    assert (second.phase, second.started_at) == (Phase.STARTING, first.started_at + timedelta(milliseconds=1))
    assert stage.world.weights() == [(STABLE, 75), (CANARY, 25)]


def test_a_second_start_on_the_route_is_refused_by_name(stage: Stage) -> None:
    first = stage.started(10).rollout.id
    with pytest.raises(SlotTakenError) as refused:
        stage.start(10)
    assert str(refused.value) == (
        f"The route already has rollout `{first}` of `{CANARY}`, progressing at 10 %. `rollback` or `end` it first."
    )


@pytest.mark.parametrize("pool", [CANARY, STABLE])
def test_a_second_start_of_either_pool_with_a_lower_weight_names_the_first_one(stage: Stage, pool: str) -> None:
    first = stage.started(25).rollout.id
    with pytest.raises(SlotTakenError) as refused:
        stage.start(10, subject=pool)
    assert str(refused.value) == (
        f"The route already has rollout `{first}` of `{CANARY}`, progressing at 25 %. `rollback` or `end` it first."
    )


def test_a_start_that_names_another_route_is_not_told_of_the_rollout_of_this_one(stage: Stage) -> None:
    stage.started(25)
    with pytest.raises(RouteError, match=r"There is no HTTPRoute `other`"):
        stage.start(10, route="other")


def test_a_start_is_held_while_the_canary_cannot_serve_and_goes_on_by_itself(stage: Stage) -> None:
    before = spec(stage)
    break_world(stage.world, "roles")
    rollout = stage.start(10).rollout
    lack = (
        f"InferencePool `{stage.world.namespace}/{CANARY}` cannot answer: decode 0 of 1 pods Ready "
        "(label `llm-d.ai/role`)."
    )
    assert (rollout.phase, rollout.weight, rollout.why) == (Phase.HOLDING, 0, lack)
    assert (stage.events(rollout.id), spec(stage)) == (["started", "held"], before)
    stage.world.set_servers_ready(CANARY, 2)
    stage.pass_time(seconds=30)
    stage.wait_observed()
    stage.pass_time(seconds=1)
    assert (stage.load(rollout.id).rollout.phase, stage.world.weights()) == (
        Phase.PROGRESSING,
        [(STABLE, 90), (CANARY, 10)],
    )


def test_a_start_that_is_held_too_long_pauses_and_a_roll_back_of_it_touches_no_weight(stage: Stage) -> None:
    before = spec(stage)
    stage.world.set_servers_ready(CANARY, 0)
    rollout_id = stage.start(10).rollout.id
    stage.pass_time(minutes=30)
    assert (stage.load(rollout_id).rollout.phase, spec(stage)) == (Phase.PAUSED, before)
    stage.say("rollback")
    assert (stage.load(rollout_id).rollout.phase, spec(stage)) == (Phase.ROLLED_BACK, before)


def test_a_held_start_that_was_paused_and_resumed_holds_again_and_goes_on_by_itself(stage: Stage) -> None:
    stage.world.set_servers_ready(CANARY, 0)
    rollout_id = stage.start(10).rollout.id
    stage.say("pause")
    stage.say("resume")
    stage.pass_time(seconds=1)
    held = stage.load(rollout_id).rollout
    assert (held.phase, held.held_by, stage.world.weights()) == (Phase.HOLDING, ("pools_ready",), [(STABLE, 1)])
    stage.world.set_servers_ready(CANARY, 2)
    stage.pass_time(seconds=30)
    assert stage.world.weights() == [(STABLE, 90), (CANARY, 10)]


def test_restore_of_a_held_start_writes_the_weights_from_before_and_holds_again(stage: Stage) -> None:
    before = spec(stage)
    stage.world.set_servers_ready(CANARY, 0)
    rollout_id = stage.start(10).rollout.id
    stage.world.set_weights({STABLE: 50, CANARY: 50})
    stage.audit.inspect()
    assert stage.load(rollout_id).rollout.drifted
    stage.say("restore")
    stage.wait_observed()
    stage.pass_time(seconds=1)
    assert (stage.load(rollout_id).rollout.phase, spec(stage)) == (Phase.HOLDING, before)


def test_a_first_weight_is_held_where_the_old_pool_was_deleted(stage: Stage) -> None:
    stage.world.set_servers_ready(CANARY, 0)
    rollout_id = stage.start(10).rollout.id
    stage.world.delete_pool(STABLE)
    stage.world.set_servers_ready(CANARY, 2)
    stage.pass_time(seconds=30)
    entry = stage.load(rollout_id)
    assert (entry.rollout.phase, hold_reason(entry)) == (
        Phase.HOLDING,
        f"InferencePool `{STABLE}` does not exist any more: there would be nothing to roll back to.",
    )


def test_a_step_is_held_while_the_canary_cannot_serve_and_goes_on_by_itself(stage: Stage) -> None:
    rollout_id = stage.started(10).rollout.id
    stage.world.set_picker_ready(CANARY, False)
    stage.step()
    assert (stage.load(rollout_id).rollout.phase, stage.world.weights()[1]) == (Phase.HOLDING, (CANARY, 10))
    stage.world.set_picker_ready(CANARY, True)
    stage.pass_time(seconds=30)
    assert (stage.load(rollout_id).rollout.phase, stage.world.weights()[1]) == (Phase.PROGRESSING, (CANARY, 25))


def test_a_first_write_the_gateway_rejects_is_rolled_back(stage: Stage, robot: Robot) -> None:
    before = spec(stage)
    robot.answer = Answer(silent=True)
    rollout_id = stage.start(10).rollout.id
    robot.answer = Answer(refuses="two pools in one rule are not supported")
    stage.wait_observed()
    stage.pass_time(seconds=1)
    rollout = stage.load(rollout_id).rollout
    assert (rollout.phase, spec(stage)) == (Phase.ROLLED_BACK, before)
    assert rollout.why == (
        f"The gateway refused the route: Gateway `{stage.world.namespace}/inference-gateway`: "
        "Accepted is False (UnsupportedValue): two pools in one rule are not supported"
    )


def test_a_gateway_that_never_answers_is_unknown_and_said_so(stage: Stage, robot: Robot) -> None:
    robot.answer = Answer(silent=True)
    rollout_id = stage.start(10).rollout.id
    stage.pass_time(seconds=1)
    assert stage.load(rollout_id).acceptance is Acceptance.WAITING
    stage.pass_time(seconds=60)
    entry = stage.load(rollout_id)
    assert (entry.rollout.phase, entry.acceptance) == (Phase.PROGRESSING, Acceptance.UNKNOWN)


def test_every_delivery_counts_once(stage: Stage) -> None:
    stage.started(10)
    request = stage.request("advance")
    assert [stage.engine.receive(request), stage.engine.receive(request)] == [True, False]
    assert [stage.engine.process(request) is None for _ in range(2)] == [False, True]
    assert stage.world.weights()[1] == (CANARY, 25)


def test_a_start_that_redis_brings_back_became_the_rollout_that_it_has_started(stage: Stage) -> None:
    request = stage.request("start", start=stage.words(10))
    stage.ask(request)
    stage.redis.delete(f"{PREFIX}seen:{request.delivery}")
    assert (stage.engine.receive(request), stage.engine.process(request)) == (True, None)
    assert stage.engine.became(request) == stage.load(rollout_id(request.delivery))


def test_a_start_that_redis_has_forgotten_became_the_restored_rollout(stage: Stage) -> None:
    request = stage.request("start", start=stage.words(10))
    stage.ask(request)
    stage.redis.flushdb()
    stage.store.declare_whole(stage.clock.now())
    assert stage.ask(request) is None
    stage.audit.inspect()
    assert stage.engine.became(request) == stage.load(rollout_id(request.delivery))


def test_a_roll_back_says_so_where_the_old_pool_cannot_serve_and_obeys(stage: Stage) -> None:
    before = spec(stage)
    stage.started(10)
    stage.world.set_servers_ready(STABLE, 0)
    outcome = stage.ask(stage.request("rollback"))
    assert outcome is not None
    assert outcome.said == (
        f"Rolled back, but the old pool cannot serve: InferencePool `{stage.world.namespace}/{STABLE}` has no ready "
        "model server: 0 of 2 pods are Ready."
    )
    assert spec(stage) == before


def test_the_brake_is_not_refused_for_a_word_that_is_no_pool(stage: Stage) -> None:
    stage.started(10)
    entry = stage.say("rollback", subject="latency", reason="doubled")
    assert (entry.rollout.phase, entry.rollout.why) == (Phase.ROLLED_BACK, "latency doubled")


@pytest.mark.parametrize("verb", ["rollback", "pause"])
def test_an_id_that_names_no_rollout_is_not_a_reason_to_brake_another_one(stage: Stage, verb: str) -> None:
    entry = stage.started(10)
    with pytest.raises(RouteError, match="There is no rollout of `r-0123abcd`"):
        stage.say(verb, subject="r-0123abcd")
    assert stage.load(entry.rollout.id) == entry


def test_other_verbs_are_refused_for_a_pool_that_has_no_rollout(stage: Stage) -> None:
    stage.started(10)
    with pytest.raises(RouteError) as refused:
        stage.say("promote", subject="vllm-llama3-8b-instruct-mew")
    assert str(refused.value) == (f"There is no rollout of `vllm-llama3-8b-instruct-mew`. Did you mean `{CANARY}`?")


def test_a_verb_that_raises_the_canary_does_not_guess_whether_a_word_is_a_pool_or_a_reason(stage: Stage) -> None:
    rollout_id = stage.started(10).rollout.id
    with pytest.raises(RouteError) as refused:
        stage.say("promote", subject="go", reason="for it")
    running = f"`{CANARY}` (10 % on `{stage.world.namespace}/llm-route`, {rollout_id})"
    assert str(refused.value) == (
        f'There is no rollout of `go`. Running: {running}. Without a pool, write a reason as `reason="…"`.'
    )


def test_a_slip_in_the_pools_name_is_no_reason_also_where_the_rollout_is_over(stage: Stage) -> None:
    stage.started(10)
    stage.say("rollback", subject="latency", reason="doubled")
    with pytest.raises(RouteError) as refused:
        stage.say("rollback", subject="vllm-llama3-8b-instruct-nwe", reason="again")
    assert str(refused.value) == f"There is no rollout of `vllm-llama3-8b-instruct-nwe`. Did you mean `{CANARY}`?"


def test_a_pause_still_listens_to_the_gateway(stage: Stage) -> None:
    rollout_id = stage.start(10).rollout.id
    stage.say("pause")
    stage.wait_observed()
    stage.pass_time(seconds=1)
    entry = stage.load(rollout_id)
    assert (entry.rollout.phase, entry.acceptance) == (Phase.PAUSED, Acceptance.ACCEPTED)
    assert entry.due == entry.rollout.since + timedelta(hours=4)


def test_a_step_lands_on_a_route_that_somebody_edits_without_a_pause(stage: Stage) -> None:
    rollout_id = stage.started(10).rollout.id
    count = itertools.count()

    def edit() -> None:
        hosts = [f"v{next(count)}.example.com"]
        stage.world.kube.merge(stage.world.route_path(), {"spec": {"hostnames": hosts}})

    stage.routes.always("write", edit)
    stage.say("advance")
    entry = stage.load(rollout_id)
    assert (entry.is_applied, entry.trouble, stage.world.weights()) == (True, None, [(STABLE, 75), (CANARY, 25)])
    assert spec(stage)["hostnames"] == [f"v{next(count) - 1}.example.com"]


def test_a_contested_step_does_not_write_over_somebody_elses_weights(stage: Stage) -> None:
    rollout_id = stage.started(10).rollout.id
    edits: Iterator[int] = itertools.count()

    def edit() -> None:
        if next(edits) < LOST_GUARDS:
            hosts = [f"{secrets.token_hex(4)}.example.com"]
            stage.world.kube.merge(stage.world.route_path(), {"spec": {"hostnames": hosts}})
        else:
            stage.routes.always("write", lambda: None)
            stage.world.set_weights({STABLE: 60, CANARY: 40})

    stage.routes.always("write", edit)
    stage.say("advance")
    entry = stage.load(rollout_id)
    assert (entry.rollout.phase, entry.rollout.drifted) == (Phase.PAUSED, True)
    assert stage.world.weights() == [(STABLE, 60), (CANARY, 40)]


def test_a_bake_that_is_over_says_why_the_old_pool_stays_and_drops_it_when_the_canary_can_serve(stage: Stage) -> None:
    rollout_id = stage.started(100).rollout.id
    stage.world.set_servers_ready(CANARY, 0)
    stage.pass_time(minutes=30)
    entry = stage.load(rollout_id)
    lack = f"InferencePool `{stage.world.namespace}/{CANARY}` has no ready model server: 0 of 2 pods are Ready."
    assert (entry.rollout.phase, entry.step_due, keeps_stable(entry)) == (Phase.PROMOTED, None, lack)
    told = str(state(entry, stage.policy.access))
    assert told.startswith(
        f"All traffic is on the new pool. `{STABLE}` stays on the route: {lack} I ask again every 30 s"
    )
    assert lack.rstrip(".") in str(why(waits(entry, stage.policy.access)))

    stage.world.set_servers_ready(CANARY, 2)
    stage.pass_time(seconds=30)
    assert (stage.load(rollout_id).rollout.phase, stage.world.weights()) == (Phase.FINISHED, [(CANARY, 100)])


def test_a_start_that_nobody_may_approve_is_refused_and_nothing_is_written(stage: Stage) -> None:
    before = stage.copy().document
    stage.policy = replace(stage.policy, access=Access(approve=frozenset({ALICE})))
    stage.parts = stage.replica()
    with pytest.raises(NotAllowedError) as refused:
        stage.start(10, wishes=Wishes())
    assert str(refused.value) == (
        "This rollout needs 1 approval, but nobody could give one: whoever starts a rollout cannot approve it. "
        "Let somebody else start it, or have more people added to `access.approve` in the policy file."
    )
    assert (stage.store.entries(), stage.copy().document) == ([], before)
    assert stage.start(10, wishes=Wishes(approve_at=())).rollout.phase is Phase.STARTING


def test_a_clock_that_goes_back_a_little_after_the_claim_makes_no_step_late(stage: Stage) -> None:
    rollout_id = stage.started(10).rollout.id
    due = stage.load(rollout_id).due
    assert due is not None
    assert stage.store.claim_due(due) == [(rollout_id, due)]
    stage.clock.set(due - timedelta(milliseconds=1))
    stage.ticker.tick(rollout_id)
    assert stage.store.next_due() == due
    stage.clock.set(due)
    stage.ticker.tick(rollout_id)
    assert stage.load(rollout_id).rollout.weight == 25
