"""What the card and the channel say of both pools while a rollout lives, and after a roll back."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest

from bot.domain.decisions.by_cluster import is_being_deleted, was_deleted
from bot.domain.errors import ClusterError, RefusedError
from bot.domain.plan import Wishes
from bot.domain.rollout import Phase, Pool
from bot.engine.route_port import Routes
from bot.recovery.pool_news import PoolNews
from k8s.trial_route import OF_TRIAL
from sandbox.kube import path_of
from sandbox.objects import POOL_API, picker_name, pool_ref, route, rule
from sandbox.process import wait_until
from sandbox.world import World
from tests.builders import CANARY, STABLE
from tests.k8s.watching import ignore
from tests.stage import Stage


def news_of(stage: Stage) -> PoolNews:
    return PoolNews(stage.cluster, stage.store, stage.clock, stage.store.events)


def old_pool(stage: Stage) -> Pool:
    return Pool(stage.world.namespace, STABLE)


def no_endpoint(stage: Stage) -> str:
    where = f"Service `{stage.world.namespace}/{picker_name(STABLE)}`, the endpoint picker of InferencePool `{STABLE}`,"
    return f"{where} has no ready endpoint."


def told(stage: Stage, rollout_id: str) -> list[tuple[str, str]]:
    kinds = ("no_way_back", "way_back", "not_serving", "serving")
    return [(one.kind.value, one.reason) for one in stage.store.events(rollout_id, 0) if one.kind.value in kinds]


def test_a_pool_that_changed_is_counted_again_for_its_rollouts(stage: Stage) -> None:
    rollout_id, news = stage.started(10).rollout.id, news_of(stage)
    stage.world.set_servers_ready(CANARY, 1)
    news.sweep()
    before = stage.load(rollout_id).readiness
    news.health_changed(Pool(stage.world.namespace, CANARY))
    news.sweep()
    after = stage.load(rollout_id).readiness
    assert before is not None
    assert after == replace(before, canary_ready=1, at=stage.clock.now())


def test_a_rollout_that_is_held_goes_on_as_soon_as_its_new_pool_can_serve(stage: Stage) -> None:
    news = news_of(stage)
    stage.world.set_servers_ready(CANARY, 0)
    rollout_id = stage.start(10).rollout.id
    for ready, phase in ((0, Phase.HOLDING), (1, Phase.STARTING)):
        stage.world.set_servers_ready(CANARY, ready)
        news.health_changed(Pool(stage.world.namespace, CANARY))
        news.sweep()
        stage.pass_time(seconds=1)
        assert stage.load(rollout_id).rollout.phase is phase


def test_an_old_pool_that_cannot_take_traffic_back_is_on_the_card_at_once_and_told_if_it_lasts(stage: Stage) -> None:
    rollout_id, news = stage.started(10).rollout.id, news_of(stage)
    stage.world.set_picker_ready(STABLE, False)
    news.health_changed(old_pool(stage))
    news.sweep()
    seen = stage.load(rollout_id).readiness
    assert (seen and seen.stable_lack, told(stage, rollout_id)) == (no_endpoint(stage), [])
    for _ in range(2):
        stage.clock.forward(seconds=10)
        news.sweep()
    lacks = ("no_way_back", no_endpoint(stage))
    assert told(stage, rollout_id) == [lacks]
    stage.world.set_picker_ready(STABLE, True)
    news.health_changed(old_pool(stage))
    news.sweep()
    assert told(stage, rollout_id) == [lacks, ("way_back", "")]


def test_people_hear_that_there_is_no_way_back_also_if_they_pause_meanwhile(stage: Stage) -> None:
    rollout_id = stage.started(10).rollout.id
    news = PoolNews(cast(Routes, stage.routes), stage.store, stage.clock, stage.store.events)
    stage.world.set_picker_ready(STABLE, False)
    news.health_changed(old_pool(stage))
    news.sweep()
    stage.clock.forward(seconds=20)
    stage.routes.before("readiness", lambda: stage.say("pause"))
    news.sweep()
    assert told(stage, rollout_id) == []
    news.sweep()
    assert told(stage, rollout_id) == [("no_way_back", no_endpoint(stage))]


def test_a_new_pool_with_traffic_that_cannot_serve_is_told_if_it_lasts_also_by_another_leader(stage: Stage) -> None:
    rollout_id, new = stage.started(10).rollout.id, Pool(stage.world.namespace, CANARY)
    stage.world.set_servers_ready(CANARY, 0)
    for news in (news_of(stage), news_of(stage)):
        news.health_changed(new)
        for _ in range(3):
            news.sweep()
            stage.clock.forward(seconds=10)
    none_ready = f"InferencePool `{stage.world.namespace}/{CANARY}` has no ready model server: 0 of 2 pods are Ready."
    assert told(stage, rollout_id) == [("not_serving", none_ready)]
    stage.world.set_servers_ready(CANARY, 2)
    later = news_of(stage)
    later.health_changed(new)
    later.sweep()
    assert told(stage, rollout_id) == [("not_serving", none_ready), ("serving", "")]


def test_a_new_pool_without_traffic_may_be_down(stage: Stage) -> None:
    rollout_id = stage.start(100, wishes=Wishes(approve_at=(100,))).rollout.id
    stage.world.set_servers_ready(CANARY, 0)
    news = news_of(stage)
    news.health_changed(Pool(stage.world.namespace, CANARY))
    for _ in range(3):
        news.sweep()
        stage.clock.forward(seconds=10)
    assert told(stage, rollout_id) == []


@pytest.mark.parametrize(
    ("broken", "is_asked_again"),
    [(ClusterError("No answer."), True), (RefusedError("You may not."), False), (KeyError("status"), False)],
)
def test_pools_that_nobody_can_count_do_not_hide_those_of_other_rollouts(
    stage: Stage, broken: Exception, is_asked_again: bool
) -> None:
    stage.world.add_route("second", [pool_ref(STABLE)], path="/second")
    ids = [stage.started(10, route=route).rollout.id for route in (stage.world.route, "second")]
    news = PoolNews(cast(Routes, stage.routes), stage.store, stage.clock, stage.store.events)

    def counted() -> list[bool]:
        return [(seen := stage.load(each).readiness) is not None and seen.canary_ready == 1 for each in ids]

    def fail() -> None:
        raise broken

    stage.world.set_servers_ready(CANARY, 1)
    news.health_changed(Pool(stage.world.namespace, CANARY))
    stage.routes.before("readiness", fail)
    news.sweep()
    assert sum(counted()) == 1
    news.sweep()
    assert all(counted()) is is_asked_again


def test_nobody_is_warned_of_an_old_pool_that_is_removed_after_the_finish(stage: Stage) -> None:
    rollout_id, news = stage.started(100).rollout.id, news_of(stage)
    stage.say("finish")
    stage.world.set_servers_ready(STABLE, 0)
    news.health_changed(old_pool(stage))
    for _ in range(2):
        news.sweep()
        stage.clock.forward(seconds=20)
    seen = stage.load(rollout_id).readiness
    assert (seen and seen.stable_ready, told(stage, rollout_id)) == (0, [])


def test_a_roll_back_onto_a_pool_that_cannot_serve_is_obeyed_and_told_until_it_can(stage: Stage) -> None:
    rollout_id = stage.started(10).rollout.id
    stage.world.set_picker_ready(STABLE, False)
    outcome = stage.ask(stage.request("rollback"))
    assert outcome is not None
    assert outcome.said == f"Rolled back, but the old pool cannot serve: {no_endpoint(stage)}"
    assert stage.world.weights() == [(STABLE, 1)]
    stage.wait_observed()
    stage.pass_time(seconds=1)
    lacks = ("no_way_back", no_endpoint(stage))
    assert told(stage, rollout_id) == [lacks]
    stage.pass_time(seconds=10)
    assert told(stage, rollout_id) == [lacks]
    stage.world.set_picker_ready(STABLE, True)
    stage.pass_time(seconds=10)
    stage.pass_time(minutes=5)
    entry = stage.load(rollout_id)
    assert (entry.readiness and entry.readiness.stable_lack, entry.due) == ("", None)
    assert told(stage, rollout_id) == [lacks, ("way_back", "")]


def test_a_pool_that_is_being_deleted_stops_its_rollouts_while_it_is_still_there(stage: Stage) -> None:
    rollout_id, path = stage.started(10).rollout.id, path_of(POOL_API, "InferencePool", stage.world.namespace, STABLE)
    stage.world.kube.merge(path, {"metadata": {"finalizers": ["example.com/keep"]}})
    heard: list[Pool] = []
    watch(stage, pool_ending=heard.append)
    stage.world.delete_pool(STABLE)
    wait_until("the end of the pool: told", lambda: bool(heard), seconds=10)
    stage.audit.pool_ending(heard[0])
    rollout = stage.load(rollout_id).rollout
    assert (rollout.phase, rollout.why) == (
        Phase.PAUSED,
        f"InferencePool `{STABLE}` is being deleted. Soon a roll back will have nowhere to go: promote, or create it "
        "again when it is gone.",
    )
    stage.audit.pool_ending(heard[0])
    stage.world.kube.merge(path, {"metadata": {"finalizers": None}})
    stage.audit.pool_gone(heard[0])
    pauses = [one.reason for one in stage.store.events(rollout_id, 0) if one.kind.value == "paused"]
    assert pauses == [is_being_deleted(rollout, old_pool(stage)), was_deleted(rollout, old_pool(stage))]


def test_a_pool_whose_deletion_began_while_nobody_led_stops_its_rollouts(stage: Stage) -> None:
    rollout_id, path = stage.started(10).rollout.id, path_of(POOL_API, "InferencePool", stage.world.namespace, CANARY)
    stage.world.kube.merge(path, {"metadata": {"finalizers": ["example.com/keep"]}})
    stage.audit.inspect()
    assert stage.load(rollout_id).rollout.phase is Phase.PROGRESSING
    stage.world.delete_pool(CANARY)
    for _ in range(2):
        stage.audit.inspect()
    rollout = stage.load(rollout_id).rollout
    pool = Pool(stage.world.namespace, CANARY)
    assert (rollout.phase, rollout.why) == (Phase.PAUSED, is_being_deleted(rollout, pool))
    assert stage.events(rollout_id).count("paused") == 1
    stage.world.kube.merge(path, {"metadata": {"finalizers": None}})


@pytest.mark.parametrize("name", [STABLE, CANARY])
def test_a_team_that_has_paused_hears_once_that_a_pool_is_being_deleted_and_once_that_it_was(
    stage: Stage, name: str
) -> None:
    rollout_id, pool = stage.started(10).rollout.id, Pool(stage.world.namespace, name)
    paused = stage.say("pause", reason="lunch").rollout
    for _ in range(2):
        stage.audit.pool_ending(pool)
    stage.world.delete_pool(name)
    for _ in range(2):
        stage.audit.pool_gone(pool)
    heard = [one.reason for one in stage.store.events(rollout_id, 0) if one.kind.value == "trouble"]
    assert heard == [is_being_deleted(paused, pool), was_deleted(paused, pool)]
    assert stage.load(rollout_id).rollout == paused


def add_trial_route(world: World, trial: str) -> None:
    rules = [rule([pool_ref(STABLE), pool_ref(CANARY)], "/try")]
    made = route(f"try-{trial}", world.namespace, world.gateway, rules)
    world.kube.create({**made, "metadata": {**made["metadata"], "labels": {OF_TRIAL: trial}}})


def test_the_routes_that_send_to_the_old_pool_are_counted_with_it(stage: Stage) -> None:
    target = {"group": "inference.networking.k8s.io", "kind": "InferencePool", "name": STABLE}
    mirror = {"type": "RequestMirror", "requestMirror": {"backendRef": target}}
    stage.world.add_route("batch", [pool_ref(STABLE)], path="/batch")
    stage.world.add_route("idle", [pool_ref(STABLE, 0), pool_ref(CANARY, 1)], path="/idle")
    stage.world.add_route("shadow", [pool_ref(CANARY)], path="/shadow")
    stage.world.set_rules([{**rule([pool_ref(CANARY)], "/shadow"), "filters": [mirror]}], "shadow")
    watch(stage)
    add_trial_route(stage.world, "o-1")
    wait_until("every route", lambda: stage.cluster.kept(stage.world.namespace, "try-o-1") is not None, seconds=10)
    pools = old_pool(stage), Pool(stage.world.namespace, CANARY)
    names = ("batch", stage.world.route, "shadow")
    wanted = tuple(f"{stage.world.namespace}/{name}" for name in names)
    wait_until("the routes", lambda: stage.cluster.readiness(*pools).stable_routes == wanted, seconds=10)


def test_the_watches_tell_which_pool_a_changed_part_belongs_to(stage: Stage) -> None:
    changed: set[Pool] = set()
    watch(stage, health_changed=changed.add)
    wait_until("both pools", lambda: len(changed) == 2, seconds=10)
    changes: list[Callable[[], None]] = [
        lambda: stage.world.set_servers_ready(STABLE, 1),
        lambda: stage.world.set_picker_ready(STABLE, False),
        lambda: stage.world.delete_picker(STABLE),
    ]
    for change in changes:
        changed.clear()  # what the first lists tell of this pool may come later: each change tells of it too
        change()
        wait_until("the old pool", lambda: old_pool(stage) in changed, seconds=10)


def watch(stage: Stage, **told: Any) -> None:
    nothing: dict[str, Any] = dict.fromkeys(("route_changed", "route_gone", "pool_gone"), ignore)
    stage.cluster.watch(**nothing, **told)
    there = stage.world.namespace, stage.world.route
    wait_until("the watches", lambda: stage.cluster.kept(*there) is not None, seconds=10)
