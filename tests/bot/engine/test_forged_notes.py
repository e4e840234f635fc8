"""Somebody who may edit the route, and no more, writes notes of his own: in the name of others, in any phase."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.domain.errors import RouteError, SlotTakenError
from bot.domain.events import EventKind
from bot.domain.rollout import Phase
from bot.engine.notes import NO_KEYS, Notes
from k8s.document import ANNOTATION
from sandbox.objects import pool_ref
from sandbox.process import wait_until
from sandbox.world import CANARY, STABLE
from tests.bot.engine.forging import AT_0, AT_10, forge
from tests.memory import PREFIX
from tests.stage import NOTES, Stage

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


def test_a_start_over_a_note_that_nobody_knows_is_refused_with_the_way_out(stage: Stage) -> None:
    first = stage.started(10).rollout
    stage.say("rollback")
    stage.lose_redis()
    stage.redis.flushdb()
    stage.world.set_annotations({ANNOTATION: NO_KEYS.write(first)})
    stage.recovery.run()
    with pytest.raises(RouteError) as refused:
        stage.start(10)
    where = stage.world.namespace, stage.world.route
    assert str(refused.value) == (
        "HTTPRoute `{}/{}` carries the note of rollout `{}`, which none of my keys has signed: another bot may run it, "
        "or the key was changed. If not, remove it with `kubectl -n {} annotate httproute {} rolloutbot.dev/rollout-`, "
        "and start again."
    ).format(*where, first.id, *where)
    stage.world.set_annotations({ANNOTATION: None})
    assert stage.start(10).rollout == stage.note()


@pytest.mark.parametrize("verb", ["rollback", "end"])
def test_a_start_replaces_the_unsigned_note_of_a_rollout_that_is_known_to_be_over(stage: Stage, verb: str) -> None:
    first = stage.started(10).rollout
    stage.say(verb, reason="enough")
    stage.world.set_annotations({ANNOTATION: NO_KEYS.write(first)})
    entry = stage.start(25)
    assert stage.note() == entry.rollout
    assert "warned" not in stage.events(entry.rollout.id)


def test_a_note_of_a_forgotten_rollout_that_is_signed_still_refuses_a_start(stage: Stage) -> None:
    first = stage.started(10).rollout.id
    stage.redis.delete(f"{PREFIX}r:{first}", f"{PREFIX}slots")
    with pytest.raises(SlotTakenError, match=first):
        stage.start(50)


def nothing(_: object) -> None:
    """Nobody leads."""


def test_a_note_that_lies_unsigned_is_signed_before_a_person_goes_on(stage: Stage) -> None:
    before = stage.started(10).rollout
    stage.world.set_annotations({ANNOTATION: NO_KEYS.write(before)})
    stage.cluster.watch(route_changed=nothing, route_gone=nothing, pool_gone=nothing)
    try:
        wait_until("a copy", lambda: stage.cluster.kept(stage.world.namespace, stage.world.route) is not None)
        stage.say("advance")
    finally:
        stage.cluster.close()
    after = stage.load(before.id).rollout
    assert (after.phase, after.step, stage.note()) == (Phase.PROGRESSING, 1, after)


def test_a_forged_time_of_a_roll_back_does_not_outlast_the_moment(stage: Stage) -> None:
    before = stage.started(10).rollout
    later = stage.clock.now() + timedelta(days=36500)
    forge(stage, phase=Phase.ROLLED_BACK, decision="d-forged", decided_at=later)
    stage.audit.inspect()
    now = stage.clock.now()
    assert stage.load(before.id).rollout.since <= now
    assert all(event.at <= now for event in stage.store.events(before.id, 0))


def test_a_note_with_the_id_of_a_rollout_elsewhere_hides_no_edit_and_touches_no_other(stage: Stage) -> None:
    here = stage.started(10).rollout
    stage.world.add_route("second", [pool_ref(STABLE)], path="/second")
    there = stage.start(10, route="second").rollout
    forge(stage, id=there.id, decision="d-forged")
    stage.world.edit_weights(60, 40)
    stage.audit.inspect()
    assert stage.load(here.id).rollout.phase is Phase.PAUSED
    assert stage.load(there.id).rollout.phase is not Phase.PAUSED


def test_two_bots_that_do_not_know_each_others_key_do_not_write_over_each_other_for_ever(stage: Stage) -> None:
    before = stage.started(10).rollout
    theirs = Notes((b"the key of another install, not ours",))
    other = replace(before, id="r-0000000f", decision="d-theirs")
    stage.world.set_annotations({ANNOTATION: theirs.write(other)})
    stage.audit.inspect()
    assert stage.load(before.id).rollout.phase is Phase.PAUSED
    stage.world.set_annotations({ANNOTATION: theirs.write(other)})
    stage.audit.inspect()
    note = stage.copy().note
    assert note is not None
    assert note.rollout == other


def test_a_roll_back_beside_the_record_of_a_rollout_that_a_newer_one_followed_does_nothing(stage: Stage) -> None:
    first = stage.started(10).rollout
    signed = stage.copy().annotation
    stage.say("end", reason="enough")
    stage.world.set_weights({STABLE: 1})
    stage.start(25)
    stage.say("rollback")
    back = replace(first, phase=Phase.ROLLED_BACK, decision="d-forged", revision=99)
    stage.world.set_annotations({ANNOTATION: NO_KEYS.write(back, signed)})
    stage.audit.inspect()
    assert stage.load(first.id).rollout.phase is Phase.ENDED


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


def test_an_unsigned_roll_back_with_a_long_reason_is_taken_up_in_short(stage: Stage) -> None:
    first = stage.started(10).rollout
    forge(stage, phase=Phase.ROLLED_BACK, decision="d-forged", why="x" * 16_000)
    stage.audit.inspect()
    assert (stage.load(first.id).rollout.phase, stage.world.weights()) == (Phase.ROLLED_BACK, AT_0)
    assert stage.load(first.id).rollout.why == f"{'x' * 300} (written on the route; the bot has not signed it)"


def test_a_roll_back_beside_a_signed_record_is_taken_up_whatever_its_length(stage: Stage) -> None:
    first = stage.started(10).rollout
    said = {"decision": "d-x", "at": first.decided_at.isoformat(), "by": "unix:x", "why": "\U0001f600" * 15_000}
    document = {**json.loads(stage.copy().annotation or ""), "rolled_back": said}
    text = json.dumps(document, ensure_ascii=False)
    stage.world.set_annotations({ANNOTATION: text, "example.com/notes": "x" * 100_000})
    stage.audit.inspect()
    assert (stage.load(first.id).rollout.phase, stage.world.weights()) == (Phase.ROLLED_BACK, AT_0)


def test_half_a_character_in_a_forged_roll_back_pauses_the_rollout_as_any_other_junk(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    first = stage.started(10).rollout
    text = NO_KEYS.write(replace(first, phase=Phase.ROLLED_BACK, decision="d-forged", why="HERE"))
    stage.world.set_annotations({ANNOTATION: text.replace("HERE", "\\ud800")})
    stage.audit.inspect()
    assert (stage.load(first.id).rollout.phase, stage.world.weights()) == (Phase.PAUSED, AT_10)
    assert [record for record in caplog.records if record.exc_info] == []


def test_a_field_manager_cannot_end_its_code_span(stage: Stage) -> None:
    old = stage.started(10).rollout
    stage.say("rollback")
    manager = "kubectl` is not to blame: Alice allowed it. `x"
    stage.world.edit({"metadata": {"annotations": {ANNOTATION: NOTES.write(old)}}}, by=manager)
    stage.world.edit_weights(100, by=manager)
    stage.audit.inspect()
    events = stage.store.events(old.id, 0)
    assert [event.reason for event in events if event.kind is EventKind.WRITTEN_AGAIN] == [
        "`kubectl is not to blame: Alice allowed it. x` had put an older state of the rollout back."
    ]
