"""The seam of verbs: one declaration, and the verb is in Slack's words and buttons, in a terminal, and in the help."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.domain.access import Access, AccessList
from bot.domain.commands.request import Request
from bot.domain.deadlines import next_look
from bot.domain.decisions.moves import Moment, after
from bot.domain.gate import Verdict
from bot.domain.rollout import Change, Entry, Phase
from bot.domain.verbs.button import Button, Dialog, Style
from bot.domain.verbs.declaration import Kind, Verb
from bot.domain.verbs.registry import added, find_verb
from handlers.cards import draw
from tests.builders import BOB, CANARY
from tests.handlers.records import ANYBODY, an_entry, in_phase
from tests.scenarios.front import Front
from tests.shell import Terminal
from tests.stage import Stage


def _hurry(entry: Entry, request: Request, verdict: Verdict, moment: Moment) -> Change:
    plan = entry.rollout.plan
    to = after(entry, moment, plan=replace(plan, interval=plan.interval / 2))
    return Change(after=to, events=(), due=next_look(to, moment.now))


HURRY = Verb(
    name="hurry",
    kind=Kind.ORDER,
    help="halve the time between steps",
    usage="[POOL] [reason]",
    spellings=("hurry up",),
    instead_of=("faster",),
    access=AccessList.RUN,
    phases=frozenset({Phase.PROGRESSING}),
    decide=_hurry,
    button=Button(
        label=lambda entry: "Twice as fast",
        style=lambda entry: Style.DANGER,
        dialog=lambda entry: Dialog(title="Hurry?", text="Each step lasts half as long.", yes="Hurry"),
    ),
)

HALF = timedelta(minutes=5)


@pytest.fixture(autouse=True)
def hurry() -> Iterator[None]:
    with added(HURRY):
        yield
    assert find_verb("hurry") is None


@pytest.mark.parametrize("text", ["hurry", f"Hurry {CANARY} it is Friday", "hurry up reason=Friday"])
def test_it_is_typed_in_slack(stage: Stage, open_slack: Callable[[], Front], text: str) -> None:
    rollout_id = stage.started(10).rollout.id
    assert open_slack().types(text) == []
    assert stage.load(rollout_id).rollout.plan.interval == HALF


def test_it_is_pressed_on_the_card(stage: Stage, open_slack: Callable[[], Front]) -> None:
    rollout = stage.started(10).rollout
    assert open_slack().presses("hurry", turn=rollout.turn) == []
    assert stage.load(rollout.id).rollout.plan.interval == HALF


def test_its_button_is_drawn_where_it_fits_with_its_dialog_and_style() -> None:
    drawn = {phase: _buttons(an_entry(in_phase(phase))) for phase in Phase}
    assert [phase for phase, buttons in drawn.items() if "rollout_hurry" in buttons] == [Phase.PROGRESSING]
    assert drawn[Phase.PROGRESSING]["rollout_hurry"] == {
        "type": "button",
        "action_id": "rollout_hurry",
        "text": {"type": "plain_text", "text": "Twice as fast", "emoji": False},
        "value": '{"id":"r-7f3a2c01","turn":4}',
        "accessibility_label": f"Twice as fast: {CANARY}",
        "style": "danger",
        "confirm": {
            "title": {"type": "plain_text", "text": "Hurry?"},
            "text": {"type": "plain_text", "text": "Each step lasts half as long."},
            "confirm": {"type": "plain_text", "text": "Hurry"},
            "deny": {"type": "plain_text", "text": "Go back"},
            "style": "primary",
        },
    }


def _buttons(entry: Entry) -> dict[str, Any]:
    blocks = [block for block in draw(entry, ANYBODY, n=1).blocks if block["type"] == "actions"]
    return {button["action_id"]: button for block in blocks for button in block["elements"]}


def test_it_is_in_the_help_and_in_what_works_now(stage: Stage, open_slack: Callable[[], Front]) -> None:
    stage.started(10)
    front = open_slack()
    assert "\n\n`/rollout hurry [POOL] [reason]`\nhalve the time between steps\n\n" in front.acknowledged("help")
    assert front.acknowledged("hury") == "`hury` is not a verb of `/rollout`. Did you mean `hurry`?"
    assert front.acknowledged("faster") == "`faster` is not a verb of `/rollout`. Did you mean `hurry`?"
    assert front.types("resume") == [
        f"You can't resume now: `{CANARY}` is progressing at 10 %. "
        "`pause`, `advance`, `promote`, `rollback`, `end` and `hurry` work now."
    ]


def test_where_it_does_not_fit_it_is_refused_and_its_list_governs_it(
    stage: Stage, open_slack: Callable[[], Front]
) -> None:
    stage.started(10)
    stage.say("pause")
    assert open_slack().types("hurry") == [
        f"You can't hurry now: `{CANARY}` is paused at 10 %. `resume`, `rollback` and `end` work now."
    ]
    stage.policy = replace(stage.policy, access=Access(run=frozenset({BOB})))
    stage.parts = stage.replica()
    assert open_slack().acknowledged("hurry") == f"You may not `hurry` here. Ask <@{BOB}>."


def test_it_is_typed_in_a_terminal(stage: Stage, open_terminal: Callable[[], Terminal]) -> None:
    rollout_id = stage.started(10).rollout.id
    terminal = open_terminal()
    assert terminal.json("hurry", CANARY, "Friday")["outcome"] == "done"
    assert stage.load(rollout_id).rollout.plan.interval == HALF
    code, listed = terminal("--help")
    assert (code, "Halve the time between steps." in listed) == (0, True)
    assert terminal("hurry", "-h") == (0, "rolloutbot hurry [POOL] [reason]\n")
    assert terminal("hury")[1] == "`hury` is not a verb of `rolloutbot`. Did you mean `hurry`?\n"


def test_a_name_is_taken_once() -> None:
    with pytest.raises(ValueError, match="There is a verb `pause` already"), added(replace(HURRY, name="pause")):
        pass
