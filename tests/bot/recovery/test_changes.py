"""What the leader's watch notices by itself, on a real API server: nobody sweeps and no timer runs in these tests."""

import threading
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest

from bot.domain.errors import TransitionError
from bot.domain.plan import Wishes
from bot.domain.rollout import Phase, Pool, Rollout
from bot.engine.notes import NO_KEYS
from bot.engine.route_port import RouteCopy
from bot.recovery.changes import MOST, THREADS, ChangeLane
from k8s.document import ANNOTATION
from k8s.httproute import copy_of
from sandbox.kube import path_of
from sandbox.objects import POOL_API, pool_ref, rule
from sandbox.process import wait_until
from sandbox.world import World
from tests.builders import CANARY, STABLE
from tests.k8s.build import a_ref, a_route, a_rule
from tests.memory import PREFIX
from tests.stage import Stage

AT_0, AT_10 = [(STABLE, 1)], [(STABLE, 90), (CANARY, 10)]
THE_NOTE = "changed the bot's note on the route, or put the weights back: they are as before"


@pytest.fixture
def watched(stage: Stage) -> Iterator[Stage]:
    """Return a stage whose leader watches."""
    changes = ChangeLane(stage.audit, lambda: True)
    changes.start()
    stage.cluster.watch(route_changed=changes.route_changed, route_gone=changes.route_gone, pool_gone=changes.pool_gone)
    wait_until("a watch", lambda: stage.cluster.kept(stage.world.namespace, stage.world.route) is not None)
    yield stage
    stage.cluster.close()
    changes.stop()


def becomes(stage: Stage, rollout_id: str, phase: Phase) -> Rollout:
    """Wait until a rollout is in a phase, and that is on the route."""

    def there() -> bool:
        entry = stage.load(rollout_id)
        return entry.rollout.phase is phase and entry.is_applied

    wait_until(phase.value, there, seconds=10)
    return stage.load(rollout_id).rollout


def annotate(world: World, text: str | None) -> None:
    world.edit({"metadata": {"annotations": {ANNOTATION: text}}}, by="velero")


# --- our weights, our ref, our annotation


@pytest.mark.parametrize(
    ("edit", "why", "weights"),
    [
        (
            lambda world: world.edit_weights(60, 40),
            "`kubectl-edit` changed the weights (old/new): 90/10 before, 60/40 now.",
            [(STABLE, 60), (CANARY, 40)],
        ),
        (
            lambda world: world.edit({"spec": {"rules": [rule([pool_ref(STABLE, 100)])]}}),
            "`kubectl-edit` changed the weights (old/new): 90/10 before, 100/– now.",
            [(STABLE, 100)],
        ),
        (lambda world: annotate(world, None), f"Somebody {THE_NOTE}.", AT_10),
        (lambda world: annotate(world, "mine now"), f"`velero` {THE_NOTE}.", AT_10),
    ],
    ids=["weights", "ref", "annotation removed", "annotation replaced"],
)
def test_an_edit_of_what_is_ours_pauses_it_and_says_who(
    watched: Stage, edit: Callable[[World], None], why: str, weights: list[tuple[str, int]]
) -> None:
    rollout_id = watched.started(10).rollout.id
    edit(watched.world)
    rollout = becomes(watched, rollout_id, Phase.PAUSED)
    assert (rollout.why, rollout.left, watched.world.weights()) == (why, Phase.PROGRESSING, weights)
    assert watched.note_phase() is Phase.PAUSED
    assert watched.events(rollout_id) == ["started", "drifted"]


def test_an_older_note_put_back_pauses_it(watched: Stage) -> None:
    rollout_id = watched.started(10).rollout.id
    old = watched.copy().annotation
    watched.step()
    annotate(watched.world, old)
    rollout = becomes(watched, rollout_id, Phase.PAUSED)
    assert (rollout.why, rollout.weight) == (f"`velero` {THE_NOTE}.", 25)


def test_edits_of_anything_else_are_left_alone_and_not_reported(watched: Stage) -> None:
    rollout_id = watched.started(10).rollout.id
    rules = watched.world.http_route()["spec"]["rules"]
    header = {"name": "x-team", "value": "llm"}
    refs = rules[0]["backendRefs"]
    refs[0]["filters"] = [{"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [header]}}]
    refs.append({"group": "", "kind": "Service", "name": "mirror", "port": 80, "weight": 0})
    rules[0]["name"] = "renamed"
    rules.append(rule([pool_ref(STABLE, 3)], "/another"))
    watched.world.edit({"spec": {"hostnames": ["llm.example.com"], "rules": rules}})
    watched.world.edit({"metadata": {"labels": {"team": "llm"}, "annotations": {"team": "llm"}}})
    watched.world.kube.merge(f"{watched.world.route_path()}/status", {"status": {"parents": []}})
    watched.step()
    assert watched.load(rollout_id).rollout.weight == 25
    refs[0]["weight"], refs[1]["weight"] = 75, 25
    assert watched.world.http_route()["spec"]["rules"] == rules
    watched.world.edit_weights(60, 40)
    becomes(watched, rollout_id, Phase.PAUSED)
    assert watched.events(rollout_id) == ["started", "stepped", "drifted"]


@pytest.mark.parametrize("edit", [lambda world: world.edit_weights(60, 40), lambda world: annotate(world, None)])
def test_an_edit_while_our_own_write_is_being_saved_is_not_missed(
    watched: Stage, edit: Callable[[World], None]
) -> None:
    rollout_id = watched.started(10).rollout.id

    def edit_and_see() -> None:
        edit(watched.world)
        newest = int(watched.world.http_route()["metadata"]["resourceVersion"])
        wait_until("seen", lambda: seen_version(watched) >= newest, seconds=10)

    watched.routes.after("write", edit_and_see)
    watched.say("advance")
    assert becomes(watched, rollout_id, Phase.PAUSED).drifted


def seen_version(stage: Stage) -> int:
    copy = stage.cluster.kept(stage.world.namespace, stage.world.route)
    return int(copy.document["metadata"]["resourceVersion"]) if copy else 0


def test_a_state_from_before_a_roll_back_that_is_put_back_is_rolled_back_again_and_told(watched: Stage) -> None:
    rollout_id = watched.started(10).rollout.id
    then = watched.world.http_route()
    watched.say("rollback")
    note = {"annotations": {ANNOTATION: then["metadata"]["annotations"][ANNOTATION]}}
    watched.world.edit({"metadata": note, "spec": {"rules": then["spec"]["rules"]}}, by="velero")
    wait_until("told", lambda: "written_again" in watched.events(rollout_id), seconds=10)
    assert (watched.world.weights(), watched.note_phase()) == (AT_0, Phase.ROLLED_BACK)
    told = watched.store.events(rollout_id, 0)[-1]
    assert told.reason == "`velero` had put an older state of the rollout back."


# --- in every phase


@pytest.mark.parametrize("phase", [Phase.HOLDING, Phase.AWAITING_APPROVAL, Phase.PROMOTED])
def test_a_running_rollout_goes_on_after_a_restore(watched: Stage, phase: Phase) -> None:
    rollout_id = in_phase(watched, phase)
    before = watched.world.weights()
    watched.world.edit_weights(60, 40)
    assert becomes(watched, rollout_id, Phase.PAUSED).left is phase
    watched.say("restore")
    watched.wait_observed()
    watched.pass_time(seconds=1)
    after = watched.load(rollout_id).rollout
    assert (after.phase, after.drift, watched.world.weights()) == (AFTER[phase], None, before)


AFTER = {phase: phase for phase in Phase} | {Phase.HOLDING: Phase.PROGRESSING}
"""What held it is asked again with the next step."""


def in_phase(stage: Stage, phase: Phase) -> str:
    """Bring a rollout into a phase in which it waits."""
    if phase is Phase.PROMOTED:
        return stage.started(100).rollout.id
    marks = (25,) if phase is Phase.AWAITING_APPROVAL else ()
    rollout_id = stage.started(10, wishes=Wishes(approve_at=marks)).rollout.id
    if phase is Phase.HOLDING:
        stage.world.set_picker_ready(CANARY, False)
        wait_until("the loss in the watch's copy", lambda: bool(lack(stage)), seconds=10)
    stage.step()
    assert stage.load(rollout_id).rollout.phase is phase
    return rollout_id


def lack(stage: Stage) -> str:
    """Return what the new pool lacks, as the watches' copies say it."""
    stable, canary = (Pool(stage.world.namespace, name) for name in (STABLE, CANARY))
    return stage.cluster.readiness(stable, canary).canary_lack


# --- the route, the pools, other owners


def test_a_deleted_route_ends_it(watched: Stage) -> None:
    rollout_id = watched.started(10).rollout.id
    watched.world.delete_route()
    rollout = becomes(watched, rollout_id, Phase.ENDED)
    assert rollout.why == f"HTTPRoute `{watched.world.namespace}/llm-route` is not there (404)."


def test_a_route_that_was_created_again_is_free(watched: Stage) -> None:
    rollout_id = watched.started(10).rollout.id
    watched.world.delete_route()
    watched.world.add_route("llm-route", [pool_ref(STABLE)])
    becomes(watched, rollout_id, Phase.ENDED)
    assert watched.world.weights() == AT_0
    assert watched.start(25).rollout.weight == 25


def test_a_deleted_pool_pauses_it(watched: Stage) -> None:
    rollout_id = watched.started(10).rollout.id
    watched.world.delete_pool(CANARY)
    rollout = becomes(watched, rollout_id, Phase.PAUSED)
    assert rollout.why == (
        f"InferencePool `{CANARY}` was deleted. "
        "Requests that go there fail: roll back, or bring it up again and resume."
    )


def test_a_pool_that_is_there_again_stops_nothing(stage: Stage) -> None:
    rollout_id = stage.started(10).rollout.id
    stage.audit.pool_gone(Pool(stage.world.namespace, CANARY))
    assert stage.events(rollout_id) == ["started"]


def test_the_old_pool_of_a_finished_rollout_cleans_it_up(watched: Stage) -> None:
    watched.started(100)
    rollout_id = watched.say("finish").rollout.id
    watched.world.delete_pool(STABLE)
    becomes(watched, rollout_id, Phase.CLEANED)
    assert watched.events(rollout_id)[-1] == "cleaned"


def test_another_tool_that_takes_the_route_pauses_it(watched: Stage) -> None:
    rollout_id = watched.started(10).rollout.id
    owner = {"apiVersion": "v1", "kind": "LLMInferenceService", "name": "x", "uid": "u"}
    watched.world.edit({"metadata": {"ownerReferences": [owner]}})
    rollout = becomes(watched, rollout_id, Phase.PAUSED)
    assert rollout.why == (
        f"HTTPRoute `{watched.world.namespace}/llm-route` is owned by KServe (LLMInferenceService "
        f"`{watched.world.namespace}/x`), which writes its weights."
    )


# --- the changes alone


class Looks:
    """Stands for the inspector: counts, and blocks while ``gate`` is shut."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.gate = threading.Event()
        self.gate.set()

    def look(self, copy: RouteCopy) -> None:
        self.seen.append(f"{copy.name} {copy.generation}")
        assert self.gate.wait(10)


@pytest.fixture
def looks() -> Looks:
    return Looks()


@pytest.fixture
def changes(looks: Looks) -> Iterator[ChangeLane]:
    changes = ChangeLane(cast(Any, looks), lambda: True)
    changes.start()
    yield changes
    looks.gate.set()
    changes.stop()


def a_copy(name: str, generation: int = 1) -> RouteCopy:
    return copy_of(a_route(a_rule(a_ref("pool")), name=name, generation=generation), NO_KEYS)


def test_of_many_changes_of_a_route_only_the_newest_is_looked_at(looks: Looks, changes: ChangeLane) -> None:
    looks.gate.clear()
    busy = [f"busy-{number}" for number in range(THREADS)]
    for name in busy:
        changes.route_changed(a_copy(name))
    wait_until("all threads busy", lambda: len(looks.seen) == THREADS, seconds=10)
    for generation in (2, 3, 4):
        changes.route_changed(a_copy("a", generation))
    looks.gate.set()
    wait_until("the next one", lambda: len(looks.seen) > THREADS, seconds=10)
    assert looks.seen[THREADS:] == ["a 4"]


def test_a_route_that_changes_without_end_is_left_to_the_sweep(looks: Looks, changes: ChangeLane) -> None:
    for number in range(MOST):
        changes.route_changed(a_copy("a"))
        wait_until("a look", lambda number=number: len(looks.seen) == number + 1, seconds=10)  # type: ignore[misc]
    changes.route_changed(a_copy("a"))
    changes.route_changed(a_copy("b"))
    wait_until("the other", lambda: "b 1" in looks.seen, seconds=10)
    assert looks.seen == [*["a 1"] * MOST, "b 1"]


def test_a_process_that_does_not_lead_looks_at_nothing(looks: Looks, changes: ChangeLane) -> None:
    changes.stop()
    changes.route_changed(a_copy("a"))
    changes.start()
    changes.route_changed(a_copy("b"))
    wait_until("a look", lambda: looks.seen == ["b 1"], seconds=10)


def test_a_roll_back_of_what_a_forgotten_rollout_has_followed_is_refused_in_words(watched: Stage) -> None:
    first = watched.started(10).rollout.id
    watched.say("rollback")
    watched.clock.forward(seconds=1)
    second = watched.start(25).rollout
    wait_until("the second on the kept copy", lambda: _kept_id(watched) == second.id)
    watched.redis.delete(
        f"{PREFIX}r:{second.id}", f"{PREFIX}slots", f"{PREFIX}order:{second.route_uid}", f"{PREFIX}canary:{CANARY}"
    )
    with pytest.raises(TransitionError) as refused:
        watched.say("rollback", subject=first)
    assert str(refused.value) == (
        f"A newer rollout came after `{CANARY}` on this route. "
        f"Roll back the newer one, or `start {STABLE} 100` if that is over."
    )


def _kept_id(stage: Stage) -> str:
    kept = stage.cluster.kept(stage.world.namespace, stage.world.route)
    return kept.note.rollout.id if kept and kept.note else ""


def test_a_finish_says_that_another_rule_of_the_route_still_sends_to_the_old_pool(watched: Stage) -> None:
    watched.world.set_rules([rule([pool_ref(STABLE)]), rule([pool_ref(STABLE)], "/other")])
    entry = watched.start(100, rule="1", wishes=Wishes(approve_at=()))
    watched.wait_observed()
    watched.pass_time(seconds=1)
    watched.pass_time(hours=2)
    finished = watched.load(entry.rollout.id)
    assert (finished.rollout.phase, finished.left_on_stable) == (
        Phase.FINISHED,
        (f"{watched.world.namespace}/{watched.world.route}",),
    )


def test_an_old_pool_that_is_gone_after_it_was_being_deleted_is_told_in_the_words_for_a_missing_one(
    watched: Stage,
) -> None:
    rollout_id = watched.started(10).rollout.id
    pool = path_of(POOL_API, "InferencePool", watched.world.namespace, STABLE)
    watched.world.kube.merge(pool, {"metadata": {"finalizers": ["example.com/hold"]}})
    watched.world.kube.delete(pool)
    watched.audit.inspect()
    assert watched.load(rollout_id).rollout.why.startswith(f"InferencePool `{STABLE}` is being deleted.")
    watched.world.kube.merge(pool, {"metadata": {"finalizers": None}})
    watched.audit.pool_gone(Pool(watched.world.namespace, STABLE))
    assert watched.load(rollout_id).rollout.why == (
        f"InferencePool `{STABLE}` was deleted. A roll back would have nowhere to go: promote, or create it again."
    )
