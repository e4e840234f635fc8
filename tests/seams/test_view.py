"""The seam of views: one declaration, and a form is opened, read and listed; a home tab is published."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from bot.domain.access import Access
from bot.domain.commands.request import Command, StartWords
from bot.domain.commands.values import read_name, read_steps, read_weight
from bot.domain.errors import StoreError
from bot.domain.plan import Wishes
from handlers.buttons import Press
from handlers.views.filled import Filled, at_input
from handlers.views.place import Place
from handlers.views.registry import added, views
from handlers.views.running import RUNNING
from handlers.views.view import Drawn, FormWords, HomeTab, Modal, Opening, View
from tests.builders import ALICE, BOB, CANARY, IN_CHANNEL
from tests.handlers.fakes import FakeEngine
from tests.scenarios.front import ROOM, Front
from tests.shell import Terminal
from tests.stage import Stage


def plain(text: str) -> dict[str, str]:
    return {"type": "plain_text", "text": text}


def an_input(block_id: str, **element: Any) -> dict[str, Any]:
    typed = {"type": "plain_text_input", "action_id": block_id}
    return {"type": "input", "block_id": block_id, "label": plain(block_id), "element": typed | element}


def option(name: str, value: str) -> dict[str, Any]:
    return {"text": plain(name), "value": value}


CAREFUL, QUICK = option("Careful", "10,25,50,100"), option("Quick", "10,100")


def a_frame(title: str, blocks: list[dict[str, Any]]) -> Drawn:
    return {"title": plain(title), "submit": plain("Go"), "close": plain("Cancel"), "blocks": blocks}


def _draw_start(opening: Opening) -> Drawn:
    steps = an_input("steps", type="static_select", options=[CAREFUL, QUICK], initial_option=CAREFUL)
    return a_frame("Start a rollout", [an_input("pool", initial_value=opening.typed), an_input("weight"), steps])


def _read_start(filled: Filled, place: Place) -> Command:
    with at_input("pool"):
        pool = read_name("pool", filled.words("pool"))
    with at_input("weight"):
        weight = read_weight(filled.words("weight"), pool, "/rollout")
    with at_input("steps"):
        steps = read_steps(filled.choice("steps"))
    return Command(verb="start", subject=pool, start=StartWords(weight=weight, wishes=Wishes(steps=steps)))


START = Modal(
    callback_id="start_form",
    words=FormWords(name="form", usage="[POOL]", help="start a rollout with a form"),
    draw=_draw_start,
    read=_read_start,
    instead="start POOL WEIGHT",
)
PAUSE = Modal(
    callback_id="pause_form",
    action_id="pause_form",
    draw=lambda opening: a_frame("Pause it", [an_input("why")]),
    read=lambda filled, place: Command(verb="pause", subject=place.rollout(), reason=filled.words("why")),
    instead="pause POOL",
)


def _draw_home(opening: Opening) -> Drawn:
    (entry,) = opening.rollouts.entries()
    text = {"type": "mrkdwn", "text": f"Hello <@{opening.by}>, {entry.rollout.canary.name} is {entry.rollout.phase}."}
    value = Press(entry.rollout.id, entry.rollout.turn).dumps()
    pressed = {
        "rollout_advance": {"text": plain("Advance"), "value": value},
        PAUSE.action_id: {"text": plain("Pause"), "value": value},
    }
    buttons = [{"type": "button", "action_id": action_id, **button} for action_id, button in pressed.items()]
    return {"blocks": [{"type": "section", "text": text}, {"type": "actions", "elements": buttons}]}


HOME = HomeTab(callback_id="home", draw=_draw_home)
FILLED: dict[str, Any] = {"pool": CANARY, "weight": "10", "steps": {"type": "static_select", "selected_option": QUICK}}


@pytest.fixture(autouse=True)
def with_views() -> Iterator[None]:
    before = views()
    with added(START), added(PAUSE), added(HOME, instead_of=RUNNING):
        yield
    assert [view.callback_id for view in views()] == [view.callback_id for view in before]


# --- a form


def test_words_open_it_and_it_carries_where_that_was(open_slack: Callable[[], Front]) -> None:
    front = open_slack()
    view = front.opens(f"Form {CANARY}")
    address = f"{front.slack.url}{[*front.slack.replies][-1]}"
    place = json.dumps({"surface": "channel", "channel": ROOM, "reply_to": address}, separators=(",", ":"))
    marks = {"id": view["id"], "type": "modal", "callback_id": "start_form", "private_metadata": place}
    assert view == marks | _draw_start(an_opening(CANARY))


def an_opening(typed: str) -> Opening:
    return Opening(by=ALICE, place=Place(origin=IN_CHANNEL), rollouts=FakeEngine(), typed=typed)


def test_a_filled_in_form_is_done_once_and_seen_in_a_terminal(
    open_slack: Callable[[], Front], open_terminal: Callable[[], Terminal]
) -> None:
    front, terminal = open_slack(), open_terminal()
    view = front.opens("form")
    assert [front.submits(view, **FILLED) for _ in range(2)] == [None, None]
    assert front.settles() == []
    (rollout,) = terminal.listed()
    told = (rollout["pool"], rollout["channel"], rollout["steps"], rollout["started"]["by"])
    assert told == (CANARY, ROOM, [10, 100], ALICE)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (
            {"weight": "all"},
            f"`all` is not a weight: give a whole number of percent from 1 to 100, as in `/rollout start {CANARY} 10`.",
        ),
        (
            {"pool": "Vllm-New"},
            "`Vllm-New` is not a name for `pool`: names have lower-case letters, digits, `-` and `.`. "
            "Did you mean `vllm-new`?",
        ),
        ({"steps": "10"}, "`` in `steps` is not a whole number of percent from 1 to 100."),
    ],
)
def test_a_mistake_is_said_at_its_input(
    stage: Stage, open_slack: Callable[[], Front], wrong: dict[str, str], said: str
) -> None:
    front = open_slack()
    answer = front.submits(front.opens("form"), **FILLED | wrong)
    ((at, text),) = answer.pop("errors").items()
    assert (answer, [at]) == ({"response_action": "errors"}, [*wrong])
    assert text.startswith(said)
    assert (front.settles(), stage.store.entries()) == ([], [])


def test_somebody_whom_the_policy_refuses_is_told_at_the_first_input(
    stage: Stage, open_slack: Callable[[], Front]
) -> None:
    stage.policy = replace(stage.policy, access=Access(start=frozenset({BOB})))
    stage.parts = stage.replica()
    front = open_slack()
    said = f"You may not `start` here. Ask {BOB}."
    assert front.submits(front.opens("form"), **FILLED) == {"response_action": "errors", "errors": {"pool": said}}


def test_it_is_in_the_help_of_slack_alone(
    open_slack: Callable[[], Front], open_terminal: Callable[[], Terminal]
) -> None:
    listed = "`/rollout form [POOL]`\nstart a rollout with a form"
    assert open_slack().acknowledged("help").split("\n\n")[-1] == listed
    assert "form" not in open_terminal()("--help")[1].split()


def test_in_a_direct_message_its_start_is_refused_at_once(open_slack: Callable[[], Front]) -> None:
    front = open_slack()
    said = "You can't `start` in a direct message: its card needs a channel. Type it where the team sees it."
    answer = front.submits(front.opens("form", channel="D0ALICE001"), **FILLED)
    assert answer == {"response_action": "errors", "errors": {"pool": said}}
    assert front.acknowledged(f"start {CANARY} 10", channel="D0ALICE001") == said


def test_somebody_who_is_too_late_is_told_what_to_type_instead(open_slack: Callable[[], Front]) -> None:
    front = open_slack()
    front.slack.faults.begin("expired_trigger_id", method="views.open")
    front.types_in_vain("form")
    said = "Slack did not open the dialog in time. Try again, or type the command with `start POOL WEIGHT`."
    assert front.settles() == [said]


def test_a_form_that_slack_refuses_is_told_with_a_ref(open_slack: Callable[[], Front]) -> None:
    front = open_slack()
    front.slack.faults.begin("invalid_arguments", method="views.open")
    front.types_in_vain("form")
    (said,) = front.settles()
    assert said.startswith("Slack refused (`invalid_arguments`). (ref `")


# --- a home tab


def test_the_home_tab_is_drawn_again_whenever_somebody_opens_it(stage: Stage, open_slack: Callable[[], Front]) -> None:
    stage.started(10)
    front = open_slack()
    assert front.opens_home(BOB)["blocks"][0]["text"]["text"] == f"Hello <@{BOB}>, {CANARY} is progressing."
    stage.say("pause")
    tab = front.opens_home(BOB)
    assert tab["blocks"][0]["text"]["text"] == f"Hello <@{BOB}>, {CANARY} is paused."
    assert (tab["type"], tab["callback_id"]) == ("home", "home")
    assert json.loads(tab["private_metadata"]) == {"surface": "home", "channel": "", "reply_to": ""}


def test_a_button_of_the_home_tab_is_its_verb(stage: Stage, open_slack: Callable[[], Front]) -> None:
    rollout_id = stage.started(10).rollout.id
    front = open_slack()
    (button, _) = front.opens_home(BOB)["blocks"][1]["elements"]
    assert front.presses_at_home(button, BOB) == ""
    assert front.settles() == []
    assert stage.load(rollout_id).rollout.weight == 25


def test_a_button_of_the_home_tab_opens_a_form(
    stage: Stage, open_slack: Callable[[], Front], open_terminal: Callable[[], Terminal]
) -> None:
    stage.started(10)
    front, terminal = open_slack(), open_terminal()
    (_, button) = front.opens_home(BOB)["blocks"][1]["elements"]
    assert front.submits(front.opens_from_home(button, BOB), BOB, why="p99 doubled") is None
    assert front.settles() == []
    (rollout,) = terminal.listed()
    assert (rollout["phase"], rollout["decided"]["by"]) == ("paused", BOB)


def test_a_home_tab_that_cannot_be_drawn_says_so(stage: Stage, open_slack: Callable[[], Front]) -> None:
    stage.memory.before("entries", fails)
    tab = open_slack().opens_home(BOB)
    said = "Redis does not answer. Try again in a moment.\n`rollback` works all the same."
    assert [block["text"]["text"] for block in tab["blocks"]] == [said]


def fails() -> None:
    raise StoreError("Redis does not answer.")


# --- the registry


@pytest.mark.parametrize(
    ("view", "taken"),
    [
        (replace(START, words=None, action_id="another"), "view `start_form`"),
        (replace(PAUSE, callback_id="another"), "button `pause_form`"),
        (replace(START, callback_id="another"), "word `form`"),
        (replace(START, callback_id="another", words=FormWords(name="pause", help="")), "word `pause`"),
        (replace(HOME, callback_id="another"), "home tab"),
        (replace(PAUSE, callback_id="another", action_id="rollout_pause"), "button `rollout_pause`"),
    ],
)
def test_what_is_taken_is_taken_once(view: View, taken: str) -> None:
    with pytest.raises(ValueError, match=f"There is a {taken} already"), added(view):
        pass


def test_a_form_that_nothing_opens_is_no_form() -> None:
    with pytest.raises(ValueError, match="Nothing opens the view `start_form`"):
        replace(START, words=None)
