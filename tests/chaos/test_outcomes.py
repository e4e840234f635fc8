"""How the checks of a chaos run judge a request by what its sender was told."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.domain.commands.request import Command
from bot.domain.errors import DependencyError, StoreError
from bot.domain.events import Event, EventKind
from bot.domain.prose import Prose
from bot.domain.rollout import Phase
from chaos.checks.outcomes import Became, outcomes
from chaos.checks.verbs import CLICKED_TWICE, acknowledged, brakes
from chaos.evidence import Evidence
from chaos.ledger import Asked
from chaos.memory import Held
from chaos.settle import Calm
from chaos.tape import NOTES, Version
from handlers import replies
from handlers.mrkdwn import mrkdwn
from k8s.document import ANNOTATION
from sandbox.strict_slack import Attempt, Delivery
from tests.builders import ALICE, BOB, NOON, a_rollout

ROUTE = ("default", "llm-route")
ROLLOUT = a_rollout().id
API, REDIS = DependencyError("The API server could not be reached."), StoreError("Redis does not answer.")
MISHAP = replies.mishap(REDIS, "1a2b3c4d")
SENTENCES = [
    replies.not_braked(API, REDIS),
    replies.not_braked_yet(API, REDIS),
    replies.braking(REDIS, Command(verb="rollback")),
    replies.rolled_back_already(a_rollout(by=BOB)),
    replies.kept(API, "1a2b3c4d"),
    MISHAP,
]
"""What a person may be told although the roll back is carried out."""


def a_click() -> Asked:
    """Return a click on Roll back, acknowledged at noon. A click has no token to find its event by."""
    sent = Attempt(to="http://bot-0", at=NOON.timestamp(), seconds=0.1, outcome="acknowledged")
    delivery = Delivery(kind="click", body="", trigger="trigger-1", reply_path="/reply/1", attempts=[sent])
    return Asked(
        verb="rollback", rollout=ROLLOUT, by=BOB, delivery=delivery, token="", at=NOON.timestamp(), id="trigger-1"
    )


def a_run(asked: Asked, *told: Prose, **more: Any) -> Evidence:
    """Return what a run leaves behind if this is its only request and nothing else happened, except for ``more``."""
    evidence: dict[str, Any] = {
        **{name: {} for name in ("routes", "hits", "shown", "streams", "logs")},
        **dict.fromkeys(("edits", "losses", "struck", "messages", "journal"), ()),
        **dict.fromkeys(("behind", "cut_short"), frozenset()),
        **dict.fromkeys(("begun", "calm_since"), 0.0),
        "calm": Calm(True, True, ()),
        "held": Held(inbox=frozenset(), records={}, unwritten=frozenset(), streams={}),
        "asked": (asked,),
        "told": {asked.id: [mrkdwn(said) for said in told]},
        **more,
    }
    return Evidence(**evidence)


def became(evidence: Evidence) -> Became:
    (outcome,) = outcomes(evidence)
    return outcome.became


def rolled_back_event() -> dict[str, Any]:
    event = Event(kind=EventKind.ROLLED_BACK, at=NOON + timedelta(seconds=1), weight=0, by=BOB)
    return {"streams": {ROLLOUT: [[event]]}}


def rolled_back_route() -> dict[str, Any]:
    """Return a run in which only the route shows it: Redis lost the record and there is no event."""
    before, after = a_rollout(), a_rollout(phase=Phase.ROLLED_BACK, decided_at=NOON + timedelta(seconds=1))
    notes = enumerate((before, after), start=1)
    return {"routes": {ROUTE: [Version(NOON.timestamp() + at, "MODIFIED", _document(at, note)) for at, note in notes]}}


def _document(version: int, note: Any) -> dict[str, Any]:
    meta = {"resourceVersion": str(version), "uid": "uid-1", "annotations": {ANNOTATION: NOTES.write(note)}}
    return {"metadata": meta, "spec": {"version": version}}


@pytest.mark.parametrize("said", [replies.not_braked(API, REDIS), MISHAP])
def test_a_request_that_was_not_confirmed_may_have_no_effect(said: Prose) -> None:
    evidence = a_run(a_click(), said)
    assert became(evidence) is Became.UNCONFIRMED
    assert acknowledged(evidence).violations == []


@pytest.mark.parametrize("done", [rolled_back_event, rolled_back_route])
@pytest.mark.parametrize("said", SENTENCES)
def test_a_roll_back_that_happened_counts_as_done_whatever_the_answer_was(
    said: Prose, done: Callable[[], dict[str, Any]]
) -> None:
    assert became(a_run(a_click(), said, **done())) is Became.DONE


def test_a_request_that_is_kept_must_have_an_effect() -> None:
    assert became(a_run(a_click(), replies.not_braked_yet(API, REDIS))) is Became.SILENT


def test_a_request_without_an_answer_must_have_an_effect() -> None:
    evidence = a_run(a_click())
    (broken,) = acknowledged(evidence).violations
    assert broken.said == f"rollback by {BOB} (click trigger-1 ) was acknowledged, and nothing happened"


def test_a_request_that_was_decided_just_before_its_bot_was_killed_may_have_no_answer() -> None:
    found = acknowledged(a_run(a_click(), cut_short=frozenset({"trigger-1"})))
    assert (found.violations, found.excused) == ([], {"refused, but the bot was killed before it could say so": 1})


def test_words_that_were_held_up_may_be_carried_out_for_the_rollout_that_they_reached() -> None:
    newer = a_rollout(id="r-0000000b", started_at=NOON + timedelta(seconds=1))
    older = a_rollout(started_at=NOON - timedelta(seconds=9))
    notes = enumerate((older, older, newer), start=1)
    versions = [Version(NOON.timestamp() + at, "MODIFIED", _document(at, note)) for at, note in notes]
    wanted = Event(kind=EventKind.APPROVAL_WANTED, at=NOON + timedelta(seconds=1.6), weight=100, by=BOB)
    late = Attempt(to="http://bot-0", at=NOON.timestamp() + 1.5, seconds=0.1, outcome="acknowledged")
    delivery = replace(a_click().delivery, kind="command", attempts=[late])
    words = replace(a_click(), verb="promote", delivery=delivery, token="t00001")
    evidence = a_run(words, routes={ROUTE: versions}, streams={ROLLOUT: [[]], newer.id: [[wanted]]})
    assert became(evidence) is Became.DONE


def test_a_kept_roll_back_may_find_the_newer_rollout_of_its_pool_rolled_back_by_somebody_else() -> None:
    newer = a_rollout(id="r-0000000b", started_at=NOON + timedelta(seconds=4))
    back = replace(newer, phase=Phase.ROLLED_BACK, decided_at=NOON + timedelta(seconds=6), by=ALICE)
    older = a_rollout(started_at=NOON - timedelta(seconds=9))
    notes = enumerate((older, older, newer, back), start=1)
    versions = [Version(NOON.timestamp() + at, "MODIFIED", _document(at, note)) for at, note in notes]
    words = replace(a_click(), delivery=replace(a_click().delivery, kind="command"), token="t00001")
    kept = replies.kept(DependencyError("Slack did not answer."), "1a2b3c4d")
    assert became(a_run(words, kept, routes={ROUTE: versions})) is Became.DONE


def test_a_roll_back_is_on_its_route_even_if_the_bots_clock_is_ahead_of_the_tapes() -> None:
    decided = NOON + timedelta(milliseconds=65)
    notes = enumerate((a_rollout(), a_rollout(phase=Phase.ROLLED_BACK, decided_at=decided)), start=1)
    versions = [Version(NOON.timestamp(), "MODIFIED", _document(at, note)) for at, note in notes]
    event = Event(kind=EventKind.ROLLED_BACK, at=decided, weight=0, by=BOB)
    found = brakes(a_run(a_click(), routes={ROUTE: versions}, streams={ROLLOUT: [[event]]}))
    assert (found.cases, found.violations) == (1, [])


def a_dialog(clicks: int) -> Evidence:
    """Return a run in which a dialog was carried out, and its click, which was delivered so often, was refused."""
    click = a_click()
    sent = list(click.delivery.attempts) * clicks
    click = replace(click, verb="reject", delivery=replace(click.delivery, attempts=sent))
    filled = replace(click.delivery, kind="dialog", attempts=sent[:1])
    dialog = replace(click, delivery=filled, token="t00001", id="V1")
    refused = "The rollout has moved on since that button was drawn."
    event = Event(kind=EventKind.REJECTED, at=NOON, by=BOB, reason="Rejected: t00001 & <so>")
    notes = enumerate((a_rollout(), a_rollout(decided_at=NOON, decision="d9", phase=Phase.PAUSED)), start=1)
    versions = [Version(NOON.timestamp() + at, "MODIFIED", _document(at, note)) for at, note in notes]
    run = a_run(click, streams={ROLLOUT: [[event]]}, routes={ROUTE: versions})
    return replace(run, asked=(click, dialog), told={click.id: [refused], dialog.id: [refused]})


def test_a_click_that_comes_again_after_its_dialog_is_refused_and_the_dialog_is_not() -> None:
    found = acknowledged(a_dialog(clicks=2))
    assert (found.violations, found.excused) == ([], {CLICKED_TWICE: 1})
    (broken,) = acknowledged(a_dialog(clicks=1)).violations
    assert "was refused and carried out" in broken.said
