from dataclasses import replace
from typing import Any

import pytest

from bot.domain.gate import Finding, GateAnswer
from bot.domain.rollout import OVER, Acceptance, Ask, Entry, Phase
from bot.domain.verbs.registry import verbs
from handlers.buttons import drawn
from handlers.cards import draw
from tests.builders import BOB, DRIFT
from tests.handlers.records import (
    ANYBODY,
    NEW,
    OLD,
    TAKEN_OVER,
    a_rollout,
    an_entry,
    applied,
    awaiting,
    in_phase,
    ready,
)


def buttons(entry: Entry) -> list[dict[str, Any]]:
    return [
        button
        for block in draw(entry, ANYBODY, n=1).blocks
        if block["type"] == "actions"
        for button in block["elements"]
    ]


def labels(entry: Entry) -> list[str]:
    return [button["text"]["text"] for button in buttons(entry)]


def test_a_button_carries_the_rollout_and_the_turn_and_the_brake_asks_in_numbers() -> None:
    (brake,) = [button for button in buttons(an_entry()) if button["action_id"] == "rollout_rollback"]
    assert brake == {
        "type": "button",
        "action_id": "rollout_rollback",
        "text": {"type": "plain_text", "text": "Roll back to 0 %", "emoji": False},
        "value": '{"id":"r-7f3a2c01","turn":4}',
        "accessibility_label": f"Roll back to 0 %: {NEW}",
        "style": "danger",
        "confirm": {
            "title": {"type": "plain_text", "text": "Roll back?"},
            "text": {"type": "plain_text", "text": f"All traffic goes back to {OLD}. {NEW} has 25 % now."},
            "confirm": {"type": "plain_text", "text": "Roll back"},
            "deny": {"type": "plain_text", "text": "Go back"},
            "style": "danger",
        },
    }


@pytest.mark.parametrize(
    ("phase", "shown"),
    [
        (Phase.STARTING, ["Roll back to 0 %", "Pause", "Why?"]),
        (Phase.PROGRESSING, ["Roll back to 0 %", "Pause", "Ask for 50 %", "Ask for 100 %", "Why?"]),
        (Phase.HOLDING, ["Roll back to 0 %", "Pause", "Ask for 50 %", "Why?"]),
        (Phase.AWAITING_APPROVAL, ["Roll back to 0 %", "Pause", "Approve 50 %", "Reject 50 %", "Why?"]),
        (Phase.PAUSED, ["Roll back to 0 %", "Resume at 25 %", "End, keep the weights", "Why?"]),
        (Phase.PROMOTED, ["Roll back to 0 %", "Pause", "Finish: drop the old pool", "Why?"]),
        (Phase.FINISHED, ["Roll back to 0 %", "Why?"]),
        (Phase.CLEANED, []),
        (Phase.ROLLED_BACK, []),
        (Phase.ENDED, ["Roll back to 0 %"]),
        (Phase.REFUSED, []),
    ],
)
def test_each_phase_has_its_buttons(phase: Phase, shown: list[str]) -> None:
    assert labels(an_entry(in_phase(phase))) == shown


def test_a_step_that_nobody_has_to_approve_is_named_as_what_it_does() -> None:
    free = replace(a_rollout().plan, approve_at=())
    said = ["Roll back to 0 %", "Pause", "Advance to 50 %", "Promote to 100 %", "Why?"]
    assert labels(an_entry(a_rollout(plan=free))) == said
    approved = Ask(id="a1", step=2, approvals=(BOB,))
    held = ["Roll back to 0 %", "Pause", "Advance to 50 %", "Why?"]
    assert labels(an_entry(a_rollout(phase=Phase.HOLDING, ask=approved))) == held


@pytest.mark.parametrize(
    ("marks", "step", "said"),
    [
        ((50, 100), 2, "Approve 50 %"),
        ((50, 100), 3, "Approve 50 %, 100 %"),
        ((50, 80), 3, "Approve 50 %, 80 %, 100 %"),
        ((25, 50, 100), 3, "Approve 50 %, 100 %"),
        ((30,), 2, "Approve 30 %, 50 %"),
        ((10, 25, 50, 100), 3, "Approve 50 %, 100 %"),
        (tuple(range(30, 61, 10)), 3, "Approve 30 % … 100 %, 5 marks"),
        (tuple(range(30, 101, 10)), 3, "Approve 30 % … 100 %, 8 marks"),
    ],
)
def test_an_approval_that_covers_several_marks_says_so(marks: tuple[int, ...], step: int, said: str) -> None:
    rollout = awaiting(plan=replace(a_rollout().plan, approve_at=marks))
    assert labels(an_entry(replace(rollout, ask=Ask(id="a1", step=step))))[2] == said


def test_a_hold_at_the_last_step_has_its_card_too() -> None:
    last = ["Roll back to 0 %", "Pause", "Advance to 100 %", "Why?"]
    assert labels(an_entry(a_rollout(phase=Phase.HOLDING, step=3))) == last


@pytest.mark.parametrize("phase", list(Phase))
def test_no_button_is_drawn_that_would_be_refused_and_the_brakes_always_are(phase: Phase) -> None:
    entry = an_entry(in_phase(phase))
    buttons = {verb.name for verb in drawn(entry)}
    fits = {verb.name for verb in verbs() if verb.fits(entry.rollout)}
    assert buttons <= fits
    assert phase in OVER or {verb.name for verb in verbs() if verb.is_brake} & fits <= buttons


@pytest.mark.parametrize("phase", list(Phase))
def test_only_the_brake_is_red_and_at_most_one_button_is_green(phase: Phase) -> None:
    styles = [(button["action_id"], button.get("style")) for button in buttons(an_entry(in_phase(phase)))]
    red = {action for action, style in styles if style == "danger"}
    assert red == ({"rollout_rollback"} if phase not in (OVER | {Phase.FINISHED}) - {Phase.ENDED} else set())
    assert len([style for _, style in styles if style == "primary"]) <= 1
    assert len(styles) <= 5


def test_while_a_write_is_open_no_button_offers_a_further_step() -> None:
    assert labels(an_entry(applied=applied(10))) == ["Roll back to 0 %", "Pause", "Why?"]
    assert labels(an_entry(acceptance=Acceptance.WAITING)) == ["Roll back to 0 %", "Pause", "Why?"]


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (
            an_entry(TAKEN_OVER, applied=None),
            f"All traffic goes back to {OLD}. {NEW} has 20 % now.",
        ),
        (an_entry(applied=None), f"No traffic has moved: {OLD} keeps 100 %, and this rollout is over."),
        (
            an_entry(readiness=ready(stable=0)),
            f"All traffic goes back to {OLD}. {NEW} has 25 % now."
            " The old pool cannot serve now: it has no ready endpoint.",
        ),
        (
            an_entry(a_rollout(phase=Phase.PAUSED, drift=DRIFT)),
            f"Traffic goes back to 100 % on {OLD} and 0 % on {NEW}, whatever it is now.",
        ),
        (an_entry(in_phase(Phase.PROMOTED)), f"All traffic goes back to {OLD}. {NEW} has 100 % now."),
    ],
)
def test_the_brake_says_what_it_will_do(entry: Entry, said: str) -> None:
    (brake,) = [button for button in buttons(entry) if button["action_id"] == "rollout_rollback"]
    assert brake["confirm"]["text"]["text"] == said


@pytest.mark.parametrize("answer", list(GateAnswer))
@pytest.mark.parametrize("phase", [Phase.PAUSED, Phase.AWAITING_APPROVAL])
def test_no_button_that_raises_the_new_pool_stands_out_while_a_gate_fails(phase: Phase, answer: GateAnswer) -> None:
    entry = replace(an_entry(in_phase(phase)), findings=(Finding(gate="split", answer=answer),))
    raising = [each for each in buttons(entry) if each["action_id"] in ("rollout_resume", "rollout_approve")]
    assert [each.get("style") for each in raising] == [None if answer is GateAnswer.FAIL else "primary"]
