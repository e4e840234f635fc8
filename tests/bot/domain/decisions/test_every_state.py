"""Promise 7 in every state a rollout can come into: a reason, somebody who can end it, a deadline, one sentence."""

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.deadlines import (
    ACCEPT_WITHIN,
    APPROVE_WITHIN,
    ASK_GATES_EVERY,
    DAY,
    REMIND_EVERY,
)
from bot.domain.decisions.by_route import raises
from bot.domain.decisions.by_time import LookAgain, on_due
from bot.domain.rollout import Acceptance, Phase
from bot.domain.sentences.what_it_waits_for import waits, why
from bot.domain.verbs.registry import verb_of
from tests.bot.domain.decisions.every_state import World, reachable
from tests.builders import NOON, PLAN, a_rollout, an_entry, at
from tests.handlers.records import ANYBODY

TRIED_FOR_EVER = "I keep trying until it is written."
TOLD_ENOUGH = "No more reminders come; a new start on the route ends it."


@pytest.fixture(scope="module")
def worlds() -> list[World]:
    """Return all states of three rollouts that differ in what their plans ask people for."""
    two = replace(PLAN, steps=(25, 100), approve_at=(25,), approvals=2)
    at_once = replace(PLAN, steps=(100,), approve_at=())
    return [*reachable(), *reachable(two, canary_before=20), *reachable(at_once)]


def none(worlds: Iterable[World], breaks: Callable[[World], bool]) -> None:
    """Assert that no state breaks a rule; tell the shortest ways to one in each phase."""
    broken = {world.rollout.phase: world for world in reversed([*worlds]) if breaks(world)}
    told = [f"{phase}: {'; '.join(world.story)}\n  {waits(world.entry, ANYBODY)}" for phase, world in broken.items()]
    assert not broken, "\n".join(told)


def is_final(world: World) -> bool:
    """Say whether nothing is left to happen, not even a word of the gateway's to be heard."""
    return world.rollout.is_over and world.entry.is_applied


def test_every_phase_is_reached_written_and_unwritten(worlds: list[World]) -> None:
    seen = {(world.rollout.phase, world.entry.is_applied) for world in worlds}
    assert seen == {(phase, written) for phase in Phase for written in (False, True)}


def test_something_looks_at_every_state_that_is_not_final(worlds: list[World]) -> None:
    def is_forgotten(world: World) -> bool:
        entry, rollout = world.entry, world.rollout
        if not entry.is_applied:
            return rollout.decision not in entry.pending
        told_enough = rollout.phase is Phase.FINISHED and world.now - rollout.since >= timedelta(days=7)
        return entry.due is None and not is_final(world) and not told_enough

    none(worlds, is_forgotten)


def test_nothing_looks_later_than_the_deadline_of_its_phase(worlds: list[World]) -> None:
    latest = {
        Phase.STARTING: ACCEPT_WITHIN,
        Phase.PROGRESSING: PLAN.interval,
        Phase.HOLDING: ASK_GATES_EVERY,
        Phase.AWAITING_APPROVAL: APPROVE_WITHIN,
        Phase.PAUSED: DAY,
        Phase.PROMOTED: PLAN.bake,
        Phase.FINISHED: DAY,
        **dict.fromkeys((Phase.CLEANED, Phase.ROLLED_BACK, Phase.ENDED, Phase.REFUSED), ASK_GATES_EVERY),
    }
    none(worlds, lambda world: bool(world.entry.due and world.entry.due > world.now + latest[world.rollout.phase]))


def test_every_wait_names_a_verb_that_is_allowed_now(worlds: list[World]) -> None:
    def is_wrong(world: World) -> bool:
        rollout, wait = world.rollout, waits(world.entry, ANYBODY)
        named = [str(word) for word in re.findall(r"`([a-z]+)`", str(wait.who))]
        allowed = [verb for verb in named if verb_of(verb).works_now(rollout)]
        needed = not rollout.is_over
        return named != allowed or (needed and not named)

    none(worlds, is_wrong)


def test_every_wait_has_a_deadline_that_is_to_come_or_is_tried_for_ever(worlds: list[World]) -> None:
    def is_endless(world: World) -> bool:
        entry, wait = world.entry, waits(world.entry, ANYBODY)
        if is_final(world):
            return (wait.deadline, str(wait.who), str(wait.then)) != (None, "", "It waits for nothing.")
        if wait.deadline is None:
            return str(wait.then) != (TOLD_ENOUGH if entry.is_applied else TRIED_FOR_EVER)
        is_up = entry.due is not None and entry.due <= world.now
        return wait.deadline < world.now and not is_up and not raises(world.rollout)

    none(worlds, is_endless)


def test_no_deadline_is_only_the_next_look_for_the_gateways_word(worlds: list[World]) -> None:
    def is_a_look(world: World) -> bool:
        entry, wait = world.entry, waits(world.entry, ANYBODY)
        return entry.is_applied and entry.acceptance is Acceptance.WAITING and wait.deadline == entry.due is not None

    none(worlds, is_a_look)


def test_every_wait_is_one_sentence_after_the_other_on_one_line(worlds: list[World]) -> None:
    one_line = re.compile(r"[A-Z][^\n]*[^.\n]\.")
    none(worlds, lambda world: one_line.fullmatch(str(why(waits(world.entry, ANYBODY)))) is None)


def test_every_wait_began_before_now_and_ends_no_sooner_than_it_began(worlds: list[World]) -> None:
    def is_odd(world: World) -> bool:
        wait = waits(world.entry, ANYBODY)
        return wait.since > world.now or (wait.deadline is not None and wait.deadline < wait.since)

    none(worlds, is_odd)


@pytest.mark.parametrize(
    ("phase", "gaps"),
    [(Phase.PAUSED, [REMIND_EVERY] * 12 + [DAY] * 8), (Phase.FINISHED, [DAY] * 7)],
)
def test_people_are_reminded_often_then_daily(phase: Phase, gaps: list[timedelta]) -> None:
    entry = an_entry(a_rollout(phase=phase, step=3, base=3))
    reminded, due = [], NOON + gaps[0]
    for _ in range(20):
        reminded.append(due)
        again = on_due(entry, None, at((due - NOON).total_seconds() / 60))
        assert isinstance(again, LookAgain)
        if again.due is None:
            break
        due = again.due
    assert [late - early for early, late in zip([NOON, *reminded], reminded, strict=False)] == gaps
