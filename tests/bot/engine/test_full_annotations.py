"""A roll back where others' annotations leave no room for ours."""

import pytest

from bot.domain.errors import RefusedError
from bot.domain.rollout import Phase
from k8s.document import ANNOTATION
from sandbox.world import STABLE
from tests.bot.engine.forging import AT_0, brake
from tests.stage import Stage

LIMIT = 256 * 1024
"""Bytes that the API server takes of an object's annotations."""


def fill(stage: Stage, *, room: int = 0) -> None:
    """Let somebody write an annotation that leaves room for so many bytes."""
    there = stage.world.http_route()["metadata"]["annotations"]
    used = sum(len(name.encode()) + len(text.encode()) for name, text in there.items()) + len("example.com/notes")
    stage.world.set_annotations({"example.com/notes": "x" * (LIMIT - used - room)})


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
