"""Somebody puts the signed note of an old rollout back, which Redis has forgotten, but it knows a newer rollout."""

import pytest

from bot.domain.errors import ClusterError
from bot.domain.rollout import Phase
from k8s.document import ANNOTATION
from tests.builders import CANARY, STABLE
from tests.failures import no_answer
from tests.memory import PREFIX
from tests.stage import Stage


@pytest.fixture
def old(stage: Stage) -> str:
    """Return the note of a rollout that was rolled back, and which Redis has forgotten."""
    rollout_id = stage.started(25).rollout.id
    text = stage.copy().annotation
    assert text is not None
    stage.say("rollback")
    stage.redis.flushdb()
    stage.world.set_annotations({ANNOTATION: ""})
    stage.recovery.run()
    assert stage.store.load(rollout_id) is None
    stage.clock.forward(seconds=1)
    return text


def known(stage: Stage) -> list[tuple[str, Phase]]:
    return [(entry.rollout.id, entry.rollout.phase) for entry in stage.store.named(CANARY)]


def test_an_unwritten_roll_back_of_a_newer_rollout_lands_and_the_old_one_is_not_taken_up(
    stage: Stage, old: str
) -> None:
    newer = stage.started(10).rollout.id
    stage.routes.always("write", no_answer)
    with pytest.raises(ClusterError):
        stage.say("rollback")
    stage.world.set_annotations({ANNOTATION: old})
    assert not stage.audit.look(stage.copy())
    assert known(stage) == [(newer, Phase.ROLLED_BACK)]
    stage.routes.always("write", lambda: None)
    assert stage.audit.look(stage.copy())
    note = stage.note()
    assert note is not None
    assert (known(stage), note.id, note.phase) == ([(newer, Phase.ROLLED_BACK)], newer, Phase.ROLLED_BACK)
    assert stage.world.weights() == [(STABLE, 1)]


def test_the_newer_rollout_on_the_route_pauses_and_the_old_one_is_not_taken_up(stage: Stage, old: str) -> None:
    newer = stage.started(10).rollout.id
    stage.world.set_annotations({ANNOTATION: old})
    stage.audit.inspect()
    assert known(stage) == [(newer, Phase.PAUSED)]


def test_a_route_whose_newer_rollout_is_over_is_free(stage: Stage, old: str) -> None:
    newer = stage.started(10).rollout.id
    stage.say("rollback")
    stage.world.set_annotations({ANNOTATION: old})
    stage.audit.inspect()
    assert known(stage) == [(newer, Phase.ROLLED_BACK)]
    stage.clock.forward(seconds=1)
    third = stage.started(50)
    assert (third.rollout.phase, stage.world.weights()) == (Phase.PROGRESSING, [(STABLE, 50), (CANARY, 50)])


def test_a_newer_rollout_that_never_had_the_route_gives_way(stage: Stage) -> None:
    first = stage.started(25)
    text = stage.copy().annotation
    stage.redis.delete(f"{PREFIX}r:{first.rollout.id}", f"{PREFIX}slots")
    stage.world.set_annotations({ANNOTATION: ""})
    stage.clock.forward(seconds=1)
    stage.routes.always("write", no_answer)
    with pytest.raises(ClusterError):
        stage.start(50)
    stage.routes.always("write", lambda: None)
    stage.world.set_annotations({ANNOTATION: text})
    stage.audit.inspect()
    assert [(found, phase) for found, phase in known(stage) if phase is not Phase.REFUSED] == [
        (first.rollout.id, Phase.PAUSED)
    ]
