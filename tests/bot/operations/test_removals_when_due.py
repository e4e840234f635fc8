"""The old pool of a finished rollout is kept for as long as the policy says; then people are asked about it."""

from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from bot.config.policy import DEFAULT_PLAN
from bot.domain.access import Access
from bot.domain.commands.request import Request
from bot.domain.errors import TransitionError, UserError
from bot.domain.events import EventKind
from bot.domain.prose import moment, plain
from bot.domain.rollout import Entry, Phase
from bot.domain.sentences.what_happened import told
from bot.domain.sentences.what_it_waits_for import waits, why
from bot.domain.sentences.where_it_stands import state
from bot.operations.by_itself import ByItself
from bot.operations.registry import Registry
from bot.operations.removals_when_due import FORGET_AFTER, RemovalsWhenDue
from bot.operations.requests import OperationRequests
from bot.service.operations import tell_trouble
from k8s.document import ANNOTATION
from tests.bot.operations.scripted import Scripted, Works
from tests.builders import ALICE, BOB, CANARY, STABLE
from tests.operations import OperationStore
from tests.stage import Stage

KEEP = timedelta(hours=8)


def finished(stage: Stage, keep: timedelta | None = KEEP) -> Entry:
    """Finish a rollout whose plan keeps the old pool."""
    stage.policy = replace(stage.policy, plan=replace(DEFAULT_PLAN, keep=keep))
    stage.__post_init__()
    stage.started(100)
    return stage.say("finish")


def look(stage: Stage, minutes: float = 0) -> list[tuple[str, str]]:
    """Let a process that has just begun look once, some time later; return what is asked, of which rollout."""
    stage.clock.forward(minutes=minutes)
    kept = OperationStore(stage.redis, stage.store, stage.kept.operations)
    works = Works(kept, clock=stage.clock)
    requests = OperationRequests(
        Registry((Scripted(name="clean"),)),
        kept.operations,
        works.tools,
        receive=stage.store.receive,
        drop=stage.store.drop,
    )
    begins = ByItself(
        stage.store.entries, requests.decide, stage.clock, receive=stage.store.receive, drop=stage.store.drop
    )
    RemovalsWhenDue(begins, partial(tell_trouble, stage.store, stage.clock)).look()
    return [(each.started_by, each.subject) for each in stage.kept.operations.under_way()]


def test_people_are_asked_when_the_time_has_come_and_only_then(stage: Stage) -> None:
    entry = finished(stage)
    assert look(stage, minutes=479) == []
    assert look(stage, minutes=1) == [(ALICE, entry.rollout.id)]
    assert look(stage, minutes=1) == [(ALICE, entry.rollout.id)]


def test_keep_moves_that_by_as_long_again(stage: Stage) -> None:
    entry = finished(stage)
    first = entry.rollout.kept_until
    kept = stage.say("keep")
    assert first is not None
    assert (kept.rollout.kept_until, kept.is_applied) == (first + KEEP, True)
    assert look(stage, minutes=8 * 60) == []
    assert look(stage, minutes=8 * 60) == [(ALICE, entry.rollout.id)]


def test_keep_after_the_time_has_come_counts_from_now(stage: Stage) -> None:
    finished(stage)
    stage.clock.forward(hours=10)
    assert stage.say("keep").rollout.kept_until == stage.clock.now() + KEEP


def test_after_redis_is_lost_the_time_is_known_from_the_route(stage: Stage) -> None:
    entry = finished(stage)
    stage.say("keep")
    stage.lose_redis()
    known = stage.load(entry.rollout.id).rollout.kept_until
    assert (entry.rollout.kept_until, known) == (known and known - KEEP, known)


def test_a_bot_that_was_away_for_long_does_not_ask(stage: Stage) -> None:
    finished(stage)
    stage.clock.forward(seconds=FORGET_AFTER.total_seconds())
    assert look(stage, minutes=8 * 60) == []


@pytest.mark.parametrize("verb", ["rollback", "end"])
def test_nobody_is_asked_of_a_rollout_that_is_over(stage: Stage, verb: str) -> None:
    finished(stage)
    stage.say(verb)
    assert look(stage, minutes=8 * 60) == []


def test_nobody_is_asked_where_the_policy_keeps_old_pools(stage: Stage) -> None:
    assert finished(stage, keep=None).rollout.kept_until is None
    assert look(stage, minutes=8 * 60) == []
    with pytest.raises(TransitionError) as refused:
        stage.say("keep")
    assert str(refused.value) == f"Nothing deletes `{STABLE}` by itself. It stays until somebody asks for `clean`."


def test_what_people_read_of_it(stage: Stage) -> None:
    entry = finished(stage)
    until = entry.rollout.kept_until
    assert until is not None
    kept = f"It is kept until {moment(until).utc}, then I ask whether to delete it."
    assert plain(state(entry, Access()), str).splitlines()[1] == kept
    said = plain(why(waits(entry, Access())), str)
    assert said.endswith(f"I ask whether to delete it {moment(until).utc}.")
    stage.say("keep", reason="the release is on Monday")
    happened = [plain(each, str) for each in told(stage.store.events(entry.rollout.id, 0), entry)]
    assert happened[-1] == f"{BOB} keeps the old pool `{STABLE}` longer: “the release is on Monday”"


@pytest.mark.parametrize("edit", [1, None])
def test_keep_works_after_others_have_edited_the_finished_route(stage: Stage, edit: int | None) -> None:
    finished(stage)
    if edit:
        stage.world.set_weights({CANARY: edit})
    else:
        stage.world.set_annotations({ANNOTATION: None})
    kept = stage.say("keep")
    assert (kept.rollout.phase, kept.is_applied, stage.note_phase()) == (Phase.FINISHED, True, Phase.FINISHED)


def test_a_question_that_is_refused_is_told_once_and_asked_again_an_hour_later(stage: Stage) -> None:
    rollout_id = finished(stage).rollout.id
    stage.clock.forward(hours=8)
    asked: list[str] = []

    def refuse(request: Request) -> None:
        asked.append(request.delivery)
        raise UserError("Another operation works on it.")

    begins = ByItself(stage.store.entries, refuse, stage.clock, receive=stage.store.receive, drop=stage.store.drop)
    removals = RemovalsWhenDue(begins, partial(tell_trouble, stage.store, stage.clock))
    for minutes in (0, 30, 31):
        stage.clock.forward(minutes=minutes)
        removals.look()
    assert [delivery.removeprefix(asked[0]) for delivery in asked] == ["", "-1"]
    told = [event.reason for event in stage.store.events(rollout_id, 0) if event.kind is EventKind.TROUBLE]
    assert told == [f"I could not ask whether to delete `{STABLE}`: Another operation works on it."]
