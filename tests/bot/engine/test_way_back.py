"""The button of a rollout that is over: it rolls back as long as that works, and goes when a newer rollout follows."""

from dataclasses import replace

import pytest

from bot.domain.errors import SlotTakenError
from bot.domain.rollout import Change, Phase, Rollout
from bot.domain.sentences.what_it_waits_for import waits
from bot.domain.sentences.where_it_stands import state
from bot.engine.store_port import Save
from handlers.buttons import drawn
from tests.builders import BOB, CANARY, STABLE
from tests.handlers.records import ANYBODY, a_rollout, an_entry
from tests.stage import Stage

BEFORE = [(STABLE, 1)]


def has_button(stage: Stage, rollout: Rollout) -> bool:
    return "rollback" in {verb.name for verb in drawn(stage.load(rollout.id))}


def over(stage: Stage, verb: str) -> Rollout:
    """Return a rollout that somebody ended at 10 %, or finished at 100 %."""
    stage.started(10 if verb == "end" else 100)
    entry = stage.say(verb)
    stage.pass_time(seconds=1)
    return entry.rollout


@pytest.mark.parametrize("verb", ["end", "finish"])
def test_the_button_of_a_card_that_is_over_rolls_back(stage: Stage, verb: str) -> None:
    rollout = over(stage, verb)
    assert has_button(stage, rollout)
    assert str(waits(stage.load(rollout.id), ANYBODY).who) == "Any full member can still `rollback`."
    stage.say("rollback", subject=rollout.id, turn=rollout.turn)
    assert (stage.world.weights(), stage.load(rollout.id).rollout.phase) == (BEFORE, Phase.ROLLED_BACK)
    assert not has_button(stage, rollout)


@pytest.mark.parametrize("verb", ["end", "finish"])
def test_it_goes_when_a_newer_rollout_starts_on_the_route(stage: Stage, verb: str) -> None:
    rollout = over(stage, verb)
    stage.world.add_pool("newest")
    stage.store.clean(rollout.id, stage.store.dirty(10)[rollout.id])
    newer = stage.start(50, subject=CANARY if verb == "end" else "newest").rollout
    there = stage.world.weights()
    assert rollout.id in stage.store.dirty(10)  # so the card is drawn again
    assert not has_button(stage, rollout)
    entry = stage.load(rollout.id)
    assert (str(waits(entry, ANYBODY).who), "can still" in str(state(entry, ANYBODY))) == ("", False)
    with pytest.raises(SlotTakenError) as refused:
        stage.say("rollback", subject=rollout.id, turn=rollout.turn)
    assert str(refused.value) == (
        f"The route already has rollout `{newer.id}` of `{newer.canary.name}`, starting at 50 %. "
        "`rollback` or `end` it first."
    )
    assert (stage.world.weights(), stage.load(newer.id).rollout.phase) == (there, newer.phase)


def test_it_comes_back_where_the_newer_start_never_got_onto_the_route(stage: Stage) -> None:
    rollout = over(stage, "end")
    newer = stage.start(50).rollout
    assert not has_button(stage, rollout)
    to = replace(newer, phase=Phase.REFUSED, decision="d-refused", revision=newer.revision + 1)
    stage.store.save(Save(change=Change(after=to, events=()), expected=stage.load(newer.id).rollout.decision))
    assert has_button(stage, rollout)


def test_a_route_that_somebody_else_has_taken_has_no_button() -> None:
    gone = an_entry(a_rollout(phase=Phase.ENDED, by=""))
    ended = an_entry(a_rollout(phase=Phase.ENDED, by=BOB))
    assert [[verb.name for verb in drawn(entry)] for entry in (gone, ended)] == [[], ["rollback"]]
    assert [entry.can_go_back for entry in (ended, replace(ended, is_followed=True))] == [True, False]
