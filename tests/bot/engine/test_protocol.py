"""The shortest violations that a model of the write protocol found, and every row of the apply table, on real servers.

Each test falls when the clause of design section 5 that prevents it is taken out.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import NoReturn

import pytest

from bot.domain.decisions.moves import roll_back
from bot.domain.errors import ClusterError, SlotTakenError, TransitionError
from bot.domain.rollout import Entry, Phase
from bot.engine.encoding import annotation
from bot.engine.guard import LOST_GUARDS
from k8s.document import ANNOTATION
from sandbox.kube import Object
from sandbox.objects import pool_ref
from tests.builders import CANARY, STABLE, at
from tests.memory import PREFIX
from tests.stage import Stage

AT_0 = [(STABLE, 1)]
AT_10 = [(STABLE, 90), (CANARY, 10)]
AT_25 = [(STABLE, 75), (CANARY, 25)]


def no_reply() -> NoReturn:
    raise ClusterError("The API server did not answer.")


def note_text(stage: Stage) -> str:
    text = stage.copy().annotation
    assert text is not None
    return text


def put_back(stage: Stage, text: str, weights: dict[str, int]) -> None:
    """A rival restores an older annotation and its weights, as a backup or GitOps does."""
    refs = [pool_ref(name, weight) for name, weight in weights.items()]
    stage.world.set_rules([{**stage.world.http_route()["spec"]["rules"][0], "backendRefs": refs}])
    stage.world.set_annotations({ANNOTATION: text})


def brake_in_terminal(stage: Stage) -> None:
    """Somebody rolls back with nothing but the API server: the store does not know of it."""
    copy, note = stage.copy(), stage.note()
    assert note is not None
    braked = roll_back(Entry(rollout=note), "terminal", at(0, decision="brake"))
    stage.cluster.write(copy, braked.after, weights=True)


def forgetting(stage: Stage, rollout_id: str) -> Callable[[], None]:
    """Return what sets the store back to how it is now, as a fail-over that lost the last second does."""
    client = stage.redis
    key = f"{PREFIX}r:{rollout_id}"
    then = client.hgetall(key)

    def forget() -> None:
        client.delete(key)
        client.hset(key, mapping=then)  # type: ignore[arg-type]

    return forget


# --- the list in the spike's README


def test_the_loser_of_the_compare_does_not_decide_the_request_again(stage: Stage) -> None:
    rollout_id = stage.started(10).rollout.id
    other = stage.replica(stage.cluster, stage.store).engine
    request = stage.request("rollback")  # fits again and again, so that only the inbox tells
    stage.engine.receive(request)
    stage.memory.before("save", lambda: other.process(request))
    assert stage.engine.process(request) is None
    assert stage.events(rollout_id).count("rolled_back") == 1


def test_an_old_copy_with_a_newer_record_is_not_drift(stage: Stage) -> None:
    rollout_id = stage.started(10).rollout.id
    stage.routes.after("read", lambda: stage.elsewhere("advance"))
    stage.applier.apply(rollout_id)
    assert (stage.world.weights(), "drifted" in stage.events(rollout_id)) == (AT_25, False)


def test_the_pause_after_a_drift_is_not_itself_drift(stage: Stage) -> None:
    rollout_id = stage.started(10).rollout.id
    stage.world.set_weights({STABLE: 50, CANARY: 50})
    stage.step()
    paused = stage.load(rollout_id)
    assert (paused.rollout.phase, paused.rollout.drifted, paused.is_applied) == (Phase.PAUSED, True, True)
    stage.audit.inspect()
    stage.pass_time(seconds=30)
    stage.applier.apply(rollout_id)
    assert stage.load(rollout_id).rollout.revision == paused.rollout.revision
    assert stage.world.weights() == [(STABLE, 50), (CANARY, 50)]


def test_an_older_annotation_put_back_and_then_a_brake_in_the_terminal_ends_rolled_back(stage: Stage) -> None:
    rollout_id = stage.started(10).rollout.id
    old = note_text(stage)
    stage.step()
    stage.step()
    put_back(stage, old, {STABLE: 90, CANARY: 10})
    brake_in_terminal(stage)
    stage.audit.inspect()
    assert (stage.load(rollout_id).rollout.phase, stage.note_phase()) == (Phase.ROLLED_BACK, Phase.ROLLED_BACK)
    assert stage.world.weights() == AT_0


def test_a_rollout_that_the_store_forgot_during_its_patch_is_restored(stage: Stage) -> None:
    rollout_id = stage.start(10).rollout.id
    stage.lose_redis()
    entry = stage.load(rollout_id)
    assert (entry.rollout.phase, entry.rollout.weight, stage.store.slot(stage.copy().uid)) == (
        Phase.STARTING,
        10,
        rollout_id,
    )
    stage.pass_time(seconds=1)
    stage.pass_time(seconds=1)
    assert stage.load(rollout_id).rollout.phase is Phase.PROGRESSING


def test_the_same_revision_with_another_decision_is_another_decision(stage: Stage) -> None:
    rollout_id = stage.started(10).rollout.id
    forget = forgetting(stage, rollout_id)
    paused = stage.say("pause").rollout.revision
    forget()
    stage.say("advance")
    entry = stage.load(rollout_id)
    assert (entry.rollout.phase, entry.rollout.revision, entry.is_applied) == (Phase.PAUSED, paused + 1, True)
    assert stage.world.weights() == AT_10


def test_an_old_rollout_cannot_roll_back_the_route_of_a_newer_one(stage: Stage) -> None:
    old = stage.started(10).rollout.id
    stage.say("rollback")
    newer = stage.started(25).rollout.id
    with pytest.raises(SlotTakenError, match=newer):
        stage.say("rollback", subject=old)
    stage.say("end", subject=newer)
    with pytest.raises(TransitionError, match="A newer rollout came after"):
        stage.say("rollback", subject=old)
    assert stage.world.weights() == AT_25


def test_a_frozen_first_write_after_a_roll_back_is_rolled_back_again(stage: Stage) -> None:
    def roll_back_and_remove_the_annotation() -> None:
        stage.elsewhere("rollback")
        stage.world.set_annotations({ANNOTATION: None})

    stage.memory.after("save", lambda: stage.routes.before("write", roll_back_and_remove_the_annotation))
    rollout_id = stage.start(10).rollout.id
    assert stage.world.weights() == AT_10  # it landed late: no guard could know
    stage.audit.inspect()
    assert (stage.load(rollout_id).rollout.phase, stage.world.weights()) == (Phase.ROLLED_BACK, AT_0)


def test_a_pause_takes_back_a_step_that_is_not_written(stage: Stage) -> None:
    rollout_id = stage.started(10).rollout.id
    stage.routes.before("write", no_reply)
    with pytest.raises(ClusterError):
        stage.say("advance")
    stage.say("pause")
    assert (stage.load(rollout_id).rollout.weight, stage.world.weights()) == (10, AT_10)


# --- the rows of the table


def test_a_writer_that_comes_late_after_a_roll_back_changes_nothing(stage: Stage) -> None:
    stage.started(10)
    stage.routes.before("write", lambda: stage.elsewhere("rollback"))
    stage.say("advance")
    assert (stage.world.weights(), stage.note_phase()) == (AT_0, Phase.ROLLED_BACK)


def test_a_step_that_comes_late_after_a_pause_changes_nothing(stage: Stage) -> None:
    stage.started(10)
    stage.routes.before("write", lambda: stage.elsewhere("pause"))
    stage.say("advance")
    assert (stage.world.weights(), stage.note_phase()) == (AT_10, Phase.PAUSED)


def test_a_step_whose_reply_was_lost_is_taken_back_by_a_pause(stage: Stage) -> None:
    rollout_id = stage.started(10).rollout.id
    stage.routes.after("write", no_reply)
    with pytest.raises(ClusterError):
        stage.say("advance")
    stage.say("pause")
    assert (stage.load(rollout_id).rollout.weight, stage.world.weights()) == (10, AT_10)


def test_a_patch_whose_reply_was_lost_is_found_done(stage: Stage) -> None:
    rollout_id = stage.started(10).rollout.id
    stage.routes.after("write", no_reply)
    with pytest.raises(ClusterError):
        stage.say("advance")
    entry = stage.load(rollout_id)
    assert (entry.is_applied, entry.trouble is None, stage.world.weights()) == (False, False, AT_25)
    stage.routes.calls.clear()
    stage.pass_time(seconds=5)
    entry = stage.load(rollout_id)
    assert (entry.is_applied, entry.trouble, "write" in stage.routes.calls) == (True, None, False)


def test_a_request_lost_on_its_way_is_written_by_the_sweep(stage: Stage) -> None:
    stage.started(10)
    stage.routes.before("write", no_reply)
    with pytest.raises(ClusterError):
        stage.say("advance")
    stage.pass_time(seconds=5)
    assert stage.world.weights() == AT_25


def test_a_step_that_could_not_be_written_for_a_minute_is_taken_back_where_the_gates_say_wait(stage: Stage) -> None:
    rollout_id = stage.started(10).rollout.id
    stage.routes.before("write", no_reply)
    with pytest.raises(ClusterError):
        stage.say("advance")
    stage.world.set_servers_ready(CANARY, 0)
    stage.pass_time(seconds=61)
    rollout = stage.load(rollout_id).rollout
    assert (rollout.phase, rollout.weight, stage.world.weights()) == (Phase.PAUSED, 10, AT_10)


def test_a_store_that_forgot_a_step_takes_it_from_the_route(stage: Stage) -> None:
    rollout_id = stage.started(10).rollout.id
    forget = forgetting(stage, rollout_id)
    stage.step()
    forget()
    stage.audit.inspect()
    entry = stage.load(rollout_id)
    assert (entry.rollout.weight, entry.is_applied, stage.world.weights()) == (25, True, AT_25)


def test_a_store_that_forgot_a_roll_back_takes_it_from_the_route(stage: Stage) -> None:
    rollout_id = stage.started(10).rollout.id
    forget = forgetting(stage, rollout_id)
    stage.say("rollback")
    forget()
    stage.step()
    assert (stage.load(rollout_id).rollout.phase, stage.world.weights()) == (Phase.ROLLED_BACK, AT_0)


def test_a_brake_in_the_terminal_is_merged(stage: Stage) -> None:
    rollout_id = stage.started(10).rollout.id
    brake_in_terminal(stage)
    stage.step()
    entry = stage.load(rollout_id)
    assert (entry.rollout.phase, entry.rollout.why, entry.is_applied) == (Phase.ROLLED_BACK, "terminal", True)
    assert stage.world.weights() == AT_0


def test_a_backup_put_back_after_a_roll_back_is_rolled_back_again(stage: Stage) -> None:
    stage.started(10)
    old = note_text(stage)
    stage.say("rollback")
    put_back(stage, old, {STABLE: 90, CANARY: 10})
    stage.audit.inspect()
    assert (stage.world.weights(), stage.note_phase()) == (AT_0, Phase.ROLLED_BACK)


@pytest.mark.parametrize("was_back", [False, True])
def test_an_annotation_of_the_rollout_before_put_back_is_drift_of_the_one_that_has_the_route(
    stage: Stage, was_back: bool
) -> None:
    before = stage.started(25).rollout.id
    running = note_text(stage)
    stage.say("rollback")
    old = note_text(stage) if was_back else running
    entry = stage.started(10)
    stage.world.set_annotations({ANNOTATION: old})
    stage.audit.inspect()
    now = stage.load(entry.rollout.id)
    assert (now.rollout.phase, now.rollout.drifted, now.is_applied) == (Phase.PAUSED, True, True)
    assert (stage.world.weights(), json.loads(note_text(stage))["id"]) == (AT_10, entry.rollout.id)
    assert stage.events(before) == ["started", "rolled_back"]


def test_an_annotation_copied_to_another_route_is_ignored(stage: Stage) -> None:
    stage.started(10)
    text = note_text(stage)
    stage.world.add_route("copied", [pool_ref(STABLE, 1)], path="/copied")
    stage.world.kube.merge(stage.world.route_path("copied"), {"metadata": {"annotations": {ANNOTATION: text}}})
    stage.lose_redis()
    stage.start(50, route="copied")
    assert stage.world.weights("copied") == [(STABLE, 50), (CANARY, 50)]
    assert stage.world.weights() == AT_10


def test_a_start_on_a_route_whose_rollout_the_store_forgot_is_refused_and_takes_it_up(stage: Stage) -> None:
    first = stage.started(10).rollout.id
    stage.redis.delete(f"{PREFIX}r:{first}", f"{PREFIX}slots")
    with pytest.raises(SlotTakenError, match=first):
        stage.start(50)
    assert stage.load(first).rollout.weight == 10


def test_the_annotation_of_an_ended_rollout_is_overwritten_by_a_start(stage: Stage) -> None:
    stage.started(10)
    stage.say("rollback")
    second = stage.start(25).rollout.id
    note = stage.note()
    assert note is not None
    assert (note.id, stage.world.weights()) == (second, AT_25)


def test_a_rival_who_edits_our_weights_is_noticed_at_the_next_step(stage: Stage) -> None:
    rollout_id = stage.started(10).rollout.id
    stage.world.set_weights({STABLE: 60, CANARY: 40})
    stage.step()
    rollout = stage.load(rollout_id).rollout
    assert (rollout.phase, rollout.drifted, rollout.weight) == (Phase.PAUSED, True, 10)
    assert stage.world.weights() == [(STABLE, 60), (CANARY, 40)]
    assert stage.events(rollout_id)[-1] == "drifted"


def test_a_removed_annotation_is_drift_and_a_roll_back_writes_all_the_same(stage: Stage) -> None:
    rollout_id = stage.started(10).rollout.id
    stage.world.set_annotations({ANNOTATION: None})
    stage.step()
    assert stage.load(rollout_id).rollout.drifted
    stage.say("rollback")
    assert stage.world.weights() == AT_0


def test_a_restore_writes_our_weights_again_and_goes_on(stage: Stage) -> None:
    rollout_id = stage.started(10).rollout.id
    stage.world.set_weights({STABLE: 60, CANARY: 40})
    stage.step()
    stage.say("restore")
    assert stage.world.weights() == AT_10
    stage.wait_observed()
    stage.pass_time(seconds=1)
    stage.step()
    assert (stage.world.weights(), stage.load(rollout_id).rollout.phase) == (AT_25, Phase.PROGRESSING)


@pytest.mark.parametrize("made_anew", [False, True])
def test_a_route_that_is_gone_ends_the_rollout_with_the_reason(stage: Stage, made_anew: bool) -> None:
    rollout_id = stage.started(10).rollout.id
    spec: Object = stage.world.http_route()["spec"]
    stage.world.delete_route()
    {True: lambda: stage.world.add_route("llm-route", spec["rules"][0]["backendRefs"]), False: lambda: None}[
        made_anew
    ]()
    stage.step_without_gateway()
    entry = stage.load(rollout_id)
    assert (entry.rollout.phase, entry.is_applied, stage.store.slot(entry.rollout.route_uid)) == (
        Phase.ENDED,
        True,
        None,
    )
    assert (stage.events(rollout_id), entry.trouble) == (["started", "stepped", "ended"], None)


def test_any_reason_can_be_written_and_guarded_again(stage: Stage) -> None:
    reason = ('& < > é — 🚀 " \\ \x7f ' * 300)[:3000]
    stage.started(10)
    entry = stage.say("pause", reason=reason)
    assert entry.is_applied
    stage.say("resume")
    stage.say("rollback", reason=reason)
    assert stage.world.weights() == AT_0
    assert json.loads(note_text(stage))["rollout"]["why"] == reason


@pytest.mark.parametrize("text", ["<b> & é — 🚀", '{\n  "v": 1\n}\n'])
def test_somebody_who_keeps_writing_into_our_annotation_does_not_stop_a_roll_back(stage: Stage, text: str) -> None:
    stage.started(10)
    edits = iter(range(100))
    stage.routes.always("write", lambda: stage.world.set_annotations({ANNOTATION: f"{text}{next(edits)}"}))
    entry = stage.say("rollback")
    assert (entry.rollout.phase, entry.is_applied, stage.world.weights()) == (Phase.ROLLED_BACK, True, AT_0)
    assert next(edits) == LOST_GUARDS + 1


def test_the_annotation_names_what_a_person_looks_for(stage: Stage) -> None:
    entry = stage.started(10)
    document = json.loads(annotation(replace(entry.rollout)))
    assert {key: document[key] for key in ("id", "phase", "weights", "revision")} == {
        "id": entry.rollout.id,
        "phase": "progressing",
        "weights": [[90, 10]],
        "revision": 2,
    }
