"""Somebody who may edit the route, and no more, writes notes of his own: in the name of others, in any phase."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.domain.commands.request import Command
from bot.domain.errors import RefusedError, RouteError, SlotTakenError, UsageError
from bot.domain.events import EventKind
from bot.domain.rollout import Phase, Rollout
from bot.engine.notes import MOST_DECISIONS, NO_KEYS, Notes
from bot.engine.rollback_from_route import Place, RouteRollback, RouteRolledBack
from k8s.cluster import Cluster
from k8s.document import ANNOTATION
from sandbox.objects import pool_ref, rule
from sandbox.process import wait_until
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


@pytest.mark.parametrize("notes", [NOTES, NO_KEYS], ids=["with a key", "without"])
@pytest.mark.parametrize("change", [of_another_canary, with_no_weight_before])
def test_no_forged_note_makes_a_roll_back_without_redis_raise_the_canary_or_stop_the_traffic(
    stage: Stage, change: Callable[[Rollout], Rollout], notes: Notes
) -> None:
    forged = change(stage.started(10).rollout)
    stage.world.set_annotations({ANNOTATION: NO_KEYS.write(forged)})
    cluster = Cluster(stage.cluster._api, [stage.world.namespace], notes=notes)
    RouteRollback(cluster, stage.clock).roll_back(a_place(stage, forged.canary.name), by=BOB)
    weights = dict(stage.world.weights())
    assert weights[STABLE] > 0
    assert weights.get(CANARY, 0) * 9 <= weights[STABLE]


def test_a_note_that_swaps_the_pools_rolls_back_nothing_for_somebody_who_names_the_new_one(stage: Stage) -> None:
    stage.world.set_annotations({ANNOTATION: NO_KEYS.write(swapped(stage.started(10).rollout))})
    with pytest.raises(RouteError):
        RouteRollback(stage.cluster, stage.clock).roll_back(a_place(stage, CANARY), by=BOB)
    assert stage.world.weights() == AT_10


def test_weights_that_add_up_to_more_than_a_backend_may_have_are_rolled_back_too(stage: Stage) -> None:
    stage.started(10)
    stage.world.edit_weights(600_000, 600_000)
    bare = Cluster(stage.cluster._api, [stage.world.namespace])
    RouteRollback(bare, stage.clock).roll_back(a_place(stage), by=BOB)
    assert stage.world.weights() == [(STABLE, 1_000_000)]


def test_a_padded_note_does_not_stop_a_terminal_without_the_key(stage: Stage) -> None:
    stage.started(10)
    document = json.loads(stage.copy().annotation or "")
    document["rollout"]["padding"] = "<" * 45_000
    stage.world.set_annotations({ANNOTATION: json.dumps(document)})
    bare = Cluster(stage.cluster._api, [stage.world.namespace])
    RouteRollback(bare, stage.clock).roll_back(a_place(stage), by=BOB)
    assert stage.world.weights() == [(STABLE, 100)]


def test_a_terminal_without_the_key_rolls_back_and_the_bot_gives_back_the_weights_from_before(stage: Stage) -> None:
    rollout_id = stage.started(10).rollout.id
    bare = Cluster(stage.cluster._api, [stage.world.namespace])
    braked = RouteRollback(bare, stage.clock).roll_back(a_place(stage), by="unix:deploy")
    assert (braked.as_before, stage.world.weights()) == (False, [(STABLE, 100)])
    stage.audit.inspect()
    after = stage.load(rollout_id).rollout
    assert (after.phase, after.by, stage.world.weights()) == (Phase.ROLLED_BACK, "unix:somebody", AT_0)
    assert after.why == "p99 (written on the route in the name of deploy; the bot has not signed it)"


def test_a_roll_back_of_a_terminal_without_the_key_is_taken_up_by_a_bot_that_lost_redis(stage: Stage) -> None:
    rollout_id = stage.started(10).rollout.id
    bare = Cluster(stage.cluster._api, [stage.world.namespace])
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


LIMIT = 256 * 1024
"""Bytes that the API server takes of an object's annotations."""


def fill(stage: Stage, *, room: int = 0) -> None:
    """Let somebody write an annotation that leaves room for so many bytes."""
    there = stage.world.http_route()["metadata"]["annotations"]
    used = sum(len(name.encode()) + len(text.encode()) for name, text in there.items()) + len("example.com/notes")
    stage.world.set_annotations({"example.com/notes": "x" * (LIMIT - used - room)})


def brake(stage: Stage, named: str = CANARY) -> RouteRolledBack:
    place = Place(stage.world.namespace, stage.world.route, "p99", named)
    return RouteRollback(stage.cluster, stage.clock).roll_back(place, by=BOB)


def test_an_unsigned_roll_back_with_a_long_reason_is_taken_up_in_short(stage: Stage) -> None:
    first = stage.started(10).rollout
    forge(stage, phase=Phase.ROLLED_BACK, decision="d-forged", why="x" * 16_000)
    stage.audit.inspect()
    assert (stage.load(first.id).rollout.phase, stage.world.weights()) == (Phase.ROLLED_BACK, AT_0)
    assert stage.load(first.id).rollout.why == f"{'x' * 300} (written on the route; the bot has not signed it)"


def test_a_roll_back_lands_with_a_shorter_note_where_others_annotations_leave_no_room(stage: Stage) -> None:
    first = stage.started(10).rollout
    fill(stage)
    stage.say("rollback", reason="p99 doubled")
    entry = stage.load(first.id)
    assert (entry.rollout.phase, entry.is_applied, entry.trouble, entry.rollout.why) == (
        Phase.ROLLED_BACK,
        True,
        None,
        "p99 doubled",
    )
    note = stage.note()
    assert note is not None
    assert (stage.world.weights(), note.phase, note.why) == (AT_0, Phase.ROLLED_BACK, "")


def test_a_roll_back_lands_without_a_note_where_there_is_no_room_for_any(stage: Stage) -> None:
    first = stage.started(10).rollout
    stage.world.set_annotations({ANNOTATION: "x"})
    fill(stage)
    stage.say("rollback", reason="p99 doubled")
    stage.pass_time(seconds=30)
    entry = stage.load(first.id)
    assert (entry.rollout.phase, entry.is_applied, entry.trouble) == (Phase.ROLLED_BACK, True, None)
    assert (stage.world.weights(), stage.copy().annotation) == (AT_0, None)


def test_a_roll_back_of_what_is_back_waits_for_room_for_its_note(stage: Stage) -> None:
    first = stage.started(10).rollout
    stage.world.set_weights({STABLE: 1})
    stage.world.set_annotations({ANNOTATION: "x"})
    fill(stage)
    with pytest.raises(RefusedError):
        stage.say("rollback")
    assert (stage.load(first.id).is_applied, stage.world.weights(), stage.copy().annotation) == (False, AT_0, "x")
    stage.world.set_annotations({"example.com/notes": None})
    stage.pass_time(seconds=30)
    assert (stage.load(first.id).is_applied, stage.note_phase()) == (True, Phase.ROLLED_BACK)


def test_a_roll_back_without_redis_lands_where_others_annotations_leave_no_room_and_is_taken_up(stage: Stage) -> None:
    first = stage.started(10).rollout
    fill(stage)
    assert (brake(stage).written, stage.world.weights()) == (True, AT_0)
    stage.audit.inspect()
    assert (stage.load(first.id).rollout.phase, stage.world.weights()) == (Phase.ROLLED_BACK, AT_0)


def test_a_roll_back_beside_a_signed_record_is_taken_up_whatever_its_length(stage: Stage) -> None:
    first = stage.started(10).rollout
    said = {"decision": "d-x", "at": first.decided_at.isoformat(), "by": "unix:x", "why": "\U0001f600" * 15_000}
    document = {**json.loads(stage.copy().annotation or ""), "rolled_back": said}
    text = json.dumps(document, ensure_ascii=False)
    stage.world.set_annotations({ANNOTATION: text, "example.com/notes": "x" * 100_000})
    stage.audit.inspect()
    assert (stage.load(first.id).rollout.phase, stage.world.weights()) == (Phase.ROLLED_BACK, AT_0)


def test_a_padded_signature_does_not_stop_a_terminal_without_the_key(stage: Stage) -> None:
    stage.started(10)
    document = {**json.loads(stage.copy().annotation or ""), "mac": "A" * 200_000}
    stage.world.set_annotations({ANNOTATION: json.dumps(document)})
    bare = Cluster(stage.cluster._api, [stage.world.namespace])
    place = Place(stage.world.namespace, stage.world.route, "p99", "")
    assert RouteRollback(bare, stage.clock).roll_back(place, by=BOB).written
    assert stage.world.weights() == [(STABLE, 100)]


def test_half_a_character_in_a_forged_roll_back_pauses_the_rollout_as_any_other_junk(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    first = stage.started(10).rollout
    text = NO_KEYS.write(replace(first, phase=Phase.ROLLED_BACK, decision="d-forged", why="HERE"))
    stage.world.set_annotations({ANNOTATION: text.replace("HERE", "\\ud800")})
    stage.audit.inspect()
    assert (stage.load(first.id).rollout.phase, stage.world.weights()) == (Phase.PAUSED, AT_10)
    assert [record for record in caplog.records if record.exc_info] == []


OTHER_RULES = [("no-such-rule", 9), ("no-such-rule-2", 10)]


@pytest.mark.parametrize("phase", [Phase.ROLLED_BACK, Phase.PROGRESSING])
def test_the_brake_without_redis_finds_the_pools_rules_whatever_rules_a_note_names(stage: Stage, phase: Phase) -> None:
    first = stage.started(10).rollout
    rules = tuple(replace(first.rules[0], key=key, index=index) for key, index in OTHER_RULES)
    forge(stage, phase=phase, rules=rules, decision="d-forged")
    assert (brake(stage).written, stage.world.weights()) == (True, [(STABLE, 100), (CANARY, 0)])


def test_the_brake_without_redis_says_so_where_it_finds_nothing_to_write(stage: Stage) -> None:
    first = stage.started(100).rollout
    stage.pass_time(minutes=30)
    rules = tuple(replace(first.rules[0], key=key, index=index) for key, index in OTHER_RULES)
    forge(stage, phase=Phase.ROLLED_BACK, rules=rules, decision="d-forged")
    with pytest.raises(RouteError) as refused:
        brake(stage)
    route = f"{stage.world.namespace}/llm-route"
    assert str(refused.value) == (
        f"HTTPRoute `{route}` has none of the rules that the rollout of `{CANARY}` moved, so I changed nothing. "
        f"Set its weights by hand: `kubectl -n {stage.world.namespace} edit httproute llm-route`."
    )


def test_a_roll_back_takes_the_traffic_from_rules_that_somebody_renamed(stage: Stage) -> None:
    stage.world.set_rules([rule([pool_ref(STABLE)], path) for path in ("/a", "/b")])
    stage.started(10)
    pair = [pool_ref(STABLE, 90), pool_ref(CANARY, 10)]
    stage.world.set_rules([rule(pair, path) for path in ("/a/v2", "/b/v2")])
    stage.say("rollback")
    rules = stage.world.http_route()["spec"]["rules"]
    assert [[ref["weight"] for ref in each["backendRefs"]] for each in rules] == [[100, 0], [100, 0]]


def test_a_roll_back_over_a_note_of_the_largest_count_is_taken_up(stage: Stage) -> None:
    first = stage.started(10).rollout
    forge(stage, revision=MOST_DECISIONS, step=1)
    brake(stage)
    stage.audit.inspect()
    assert (stage.load(first.id).rollout.phase, stage.load(first.id).rollout.by) == (Phase.ROLLED_BACK, BOB)


def test_a_forged_note_sends_no_unnamed_roll_back_to_another_rollout(stage: Stage) -> None:
    first = stage.started(10).rollout
    for pool in ("other", "other-new"):
        stage.world.add_pool(pool)
    stage.world.add_route("second", [pool_ref("other")], path="/other")
    second = stage.start(10, subject="other-new").rollout
    forge(stage, step=1, decision="d-forged")
    finder = RouteRollback(stage.cluster, stage.clock)
    with pytest.raises(UsageError) as refused:
        finder.find(Command(verb="rollback", reason="p99 doubled"), first.channel, stage.clock.now())
    assert str(refused.value).startswith("This could mean several rollouts. Name one: ")
    assert {first.id, second.id} <= set(re.findall(r"r-[0-9a-f]{8}", str(refused.value)))


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
