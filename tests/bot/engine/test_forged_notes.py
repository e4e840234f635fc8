"""Somebody who may edit the route, and no more, writes notes of his own: in the name of others, in any phase."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from bot.domain.errors import RouteError, SlotTakenError
from bot.domain.rollout import Phase, Rollout
from bot.engine.notes import NO_KEYS
from bot.engine.rollback_from_route import Place, RouteRollback
from k8s.document import ANNOTATION
from sandbox.world import CANARY, STABLE
from tests.builders import BOB
from tests.memory import PREFIX
from tests.stage import NOTES, Stage

AT_0, AT_10 = [(STABLE, 1)], [(STABLE, 90), (CANARY, 10)]


def forge(stage: Stage, **changes: Any) -> Rollout:
    """Write a note with other values over the present one, without its key."""
    note = stage.note()
    assert note is not None
    forged = replace(note, **changes)
    stage.world.set_annotations({ANNOTATION: NO_KEYS.write(forged)})
    return forged


FORGERIES: dict[str, dict[str, Any]] = {
    "a later step": {"step": 2, "decision": "d-forged", "revision": 9},
    "the same decision with a later step": {"step": 2},
    "the end": {"phase": Phase.FINISHED, "step": 3, "decision": "d-forged", "revision": 9},
    "a pause": {"phase": Phase.PAUSED, "decision": "d-forged", "revision": 9},
    "another rollout": {"id": "r-0000000f", "decision": "d-forged"},
    "another rollout that is back": {"id": "r-0000000f", "decision": "d-forged", "phase": Phase.ROLLED_BACK},
    "other words": {"reason": "because", "started_by": "U0EVE00001", "channel": "C0ELSEW001"},
}


@pytest.mark.parametrize("changes", FORGERIES.values(), ids=FORGERIES)
def test_a_forged_note_pauses_the_rollout_as_any_edit_and_says_who_wrote_it(
    stage: Stage, changes: dict[str, Any]
) -> None:
    before = stage.started(10).rollout
    forge(stage, **changes)
    stage.audit.inspect()
    after = stage.load(before.id).rollout
    assert (after.phase, after.step, after.plan, after.channel, stage.world.weights()) == (
        Phase.PAUSED,
        before.step,
        before.plan,
        before.channel,
        AT_10,
    )
    assert after.why.endswith("changed the bot's note on the route, or put the weights back: they are as before.")
    assert stage.note() == after
    assert len(stage.store.entries()) == 1


def test_weights_that_a_forged_note_explains_are_still_somebodys_edit(stage: Stage) -> None:
    before = stage.started(10).rollout
    forge(stage, step=2, decision="d-forged", revision=9)
    stage.world.set_weights({STABLE: 50, CANARY: 50})
    stage.audit.inspect()
    after = stage.load(before.id).rollout
    assert (after.phase, after.drifted, after.step) == (Phase.PAUSED, True, 0)


def test_a_note_that_says_what_the_record_says_is_signed_without_a_word(stage: Stage) -> None:
    before = stage.started(10)
    forge(stage)
    assert stage.note() is None
    stage.audit.inspect()
    after = stage.load(before.rollout.id)
    assert (stage.note(), after.rollout, stage.events(before.rollout.id)) == (
        before.rollout,
        before.rollout,
        ["started"],
    )


def test_a_roll_back_on_the_route_is_taken_up_without_its_signature_and_nothing_else_of_it(stage: Stage) -> None:
    before = stage.started(10).rollout
    forged: dict[str, Any] = {"phase": Phase.ROLLED_BACK, "decision": "d-forged", "revision": 9}
    swapped = {"stable": before.canary, "canary": before.stable, "by": "U0BOSS0001", "why": "because"}
    refs = [replace(rule, stable_ref=rule.stable_ref.replace(STABLE, CANARY)) for rule in before.rules]
    forge(stage, **forged, **swapped, rules=tuple(refs))
    stage.audit.inspect()
    after = stage.load(before.id).rollout
    assert (after.phase, after.stable, after.canary, after.rules, after.by) == (
        Phase.ROLLED_BACK,
        before.stable,
        before.canary,
        before.rules,
        "unix:somebody",
    )
    assert after.why == "because (written on the route in the name of U0BOSS0001; the bot has not signed it)"
    assert (stage.world.weights(), stage.note()) == (AT_0, after)


def test_a_lost_redis_takes_up_no_forged_note_and_says_so_once(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    before = stage.started(10).rollout
    forge(stage, step=2, decision="d-forged")
    stage.lose_redis()
    stage.audit.inspect()
    assert (stage.store.load(before.id), stage.store.is_whole(), stage.world.weights()) == (None, True, AT_10)
    route = f"HTTPRoute {stage.world.namespace}/{stage.world.route}"
    assert [text for text in caplog.messages if "signed" in text] == [
        f"{route} carries a note that none of our keys has signed, written by python-urllib3: I leave it alone"
    ]


def test_a_start_replaces_a_forged_note_and_warns(stage: Stage) -> None:
    stage.started(10)
    text = NO_KEYS.write(stage.load(stage.store.entries()[0].rollout.id).rollout)
    stage.say("rollback")
    stage.world.set_annotations({ANNOTATION: text})
    stage.lose_redis()
    entry = stage.start(10)
    warned = [event.reason for event in stage.store.events(entry.rollout.id, 0) if event.kind.value == "warned"]
    assert warned == [
        "The route carried a note of another rollout that none of the bot's keys has signed. It was replaced."
    ]
    assert stage.note() == entry.rollout


def test_a_note_of_a_forgotten_rollout_that_is_signed_still_refuses_a_start(stage: Stage) -> None:
    first = stage.started(10).rollout.id
    stage.redis.delete(f"{PREFIX}r:{first}", f"{PREFIX}slots")
    with pytest.raises(SlotTakenError, match=first):
        stage.start(50)


# --- without Redis


def a_place(stage: Stage, named: str = "") -> Place:
    return Place(stage.world.namespace, stage.world.route, "p99", named)


def test_the_brake_without_redis_asks_for_the_new_pools_name_where_the_note_is_not_signed(stage: Stage) -> None:
    stage.started(10)
    forge(stage, step=2)
    brake = RouteRollback(stage.cluster, stage.clock)
    with pytest.raises(RouteError) as refused:
        brake.roll_back(a_place(stage), by=BOB)
    assert str(refused.value) == (
        f"The bot has not signed what HTTPRoute `{stage.world.namespace}/{stage.world.route}` says about its rollout, "
        "so I cannot tell which pool is the new one. Name the new pool: `rollback POOL`."
    )
    assert stage.world.weights() == AT_10
    braked = brake.roll_back(a_place(stage, CANARY), by=BOB)
    assert (braked.as_before, stage.world.weights()) == (False, [(STABLE, 100)])


def swapped(rollout: Rollout) -> Rollout:
    refs = tuple(replace(rule, stable_ref=rule.stable_ref.replace(STABLE, CANARY)) for rule in rollout.rules)
    return replace(rollout, stable=rollout.canary, canary=rollout.stable, rules=refs)


def of_another_canary(rollout: Rollout) -> Rollout:
    return replace(rollout, canary=replace(rollout.canary, name="other"))


def with_no_weight_before(rollout: Rollout) -> Rollout:
    return replace(rollout, rules=tuple(replace(rule, stable_before=0) for rule in rollout.rules))


@pytest.mark.parametrize("change", [swapped, of_another_canary, with_no_weight_before])
def test_no_forged_note_makes_a_roll_back_without_redis_raise_the_canary_or_stop_the_traffic(
    stage: Stage, change: Callable[[Rollout], Rollout]
) -> None:
    before = stage.started(10).rollout
    stage.world.set_annotations({ANNOTATION: NO_KEYS.write(change(before))})
    try:
        RouteRollback(stage.cluster, stage.clock).roll_back(a_place(stage, CANARY), by=BOB)
    except RouteError:
        assert stage.world.weights() == AT_10
    weights = dict(stage.world.weights())
    assert weights[STABLE] > 0
    assert weights.get(CANARY, 0) * 9 <= weights[STABLE]


def test_a_terminal_without_the_key_rolls_back_and_the_bot_gives_back_the_weights_from_before(stage: Stage) -> None:
    rollout_id = stage.started(10).rollout.id
    bare = type(stage.cluster)(stage.cluster._api, [stage.world.namespace])
    braked = RouteRollback(bare, stage.clock).roll_back(a_place(stage), by="unix:deploy")
    assert (braked.as_before, stage.world.weights()) == (False, [(STABLE, 100)])
    stage.audit.inspect()
    after = stage.load(rollout_id).rollout
    assert (after.phase, after.by, stage.world.weights()) == (Phase.ROLLED_BACK, "unix:somebody", AT_0)
    assert after.why == "p99 (written on the route in the name of deploy; the bot has not signed it)"


def test_a_roll_back_of_a_terminal_without_the_key_is_taken_up_by_a_bot_that_lost_redis(stage: Stage) -> None:
    rollout_id = stage.started(10).rollout.id
    bare = type(stage.cluster)(stage.cluster._api, [stage.world.namespace])
    RouteRollback(bare, stage.clock).roll_back(a_place(stage), by="unix:deploy")
    stage.lose_redis()
    assert stage.load(rollout_id).rollout.phase is Phase.ROLLED_BACK


def test_a_roll_back_that_the_weights_do_not_show_is_not_told_as_one_after_redis_is_lost(stage: Stage) -> None:
    rollout_id = stage.started(10).rollout.id
    stage.say("rollback")
    stage.world.set_weights({STABLE: 60, CANARY: 40})
    stage.lose_redis()
    after = stage.load(rollout_id).rollout
    assert (after.phase, after.why) == (
        Phase.ENDED,
        "The note on the route says that it was rolled back, but the weights (old/new) are 60/40. "
        "I changed nothing; `rollback` still works.",
    )


def test_a_key_that_is_new_signs_the_notes_that_were_there_before(stage: Stage) -> None:
    before = stage.started(10).rollout
    forge(stage)
    assert json.loads(stage.copy().annotation or "").get("mac") is None
    stage.audit.sweep()
    assert json.loads(stage.copy().annotation or "")["mac"] == json.loads(NOTES.write(before))["mac"]
