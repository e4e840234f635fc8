"""Commands and buttons of another install, or another version, that come here."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from handlers.app import Handlers, build, web_client
from handlers.census import SHARED
from handlers.payload import hear
from sandbox.process import wait_until
from sandbox.slack import BOT_TOKEN, INFERENCE, TEAM
from sandbox.strict_slack import StrictSlack
from tests.builders import BOB
from tests.handlers.fakes import FakeEngine, Hand, Memory
from tests.handlers.test_listeners import POLICY

FROM = {"team_id": TEAM, "channel_id": INFERENCE, "trigger_id": "1.2"}


@pytest.fixture
def handlers(slack: StrictSlack) -> Iterator[Handlers]:
    client = web_client(BOT_TOKEN, base_url=slack.api_url)
    handlers = build(FakeEngine(), Memory().as_store(), Hand(), POLICY, client)
    yield handlers
    handlers.close()


def test_a_command_of_another_name_is_answered(handlers: Handlers) -> None:
    answer = hear(handlers.app, {**FROM, "command": "/rollout-staging", "text": "status", "user_id": BOB})
    assert (answer.status, json.loads(answer.body)) == (
        200,
        {
            "response_type": "ephemeral",
            "text": "I listen to `/rollout`, not to `/rollout-staging`. Another install of this Slack app may: type it "
            "again. Each install needs an app of its own.",
        },
    )


def test_the_home_tab_says_that_another_install_shares_the_app(slack: StrictSlack) -> None:
    client = web_client(BOT_TOKEN, base_url=slack.api_url)
    handlers = build(FakeEngine(), Memory().as_store(), Hand(), POLICY, client, others=lambda: SHARED)
    event = {"type": "app_home_opened", "user": BOB, "tab": "home"}
    hear(handlers.app, {"type": "event_callback", "team_id": TEAM, "event_id": "Ev1", "event": event})
    wait_until("the home tab", lambda: BOB in slack.homes)
    handlers.close()
    assert slack.homes[BOB]["blocks"][-1]["text"]["text"] == str(SHARED)


def test_a_dialog_that_nobody_here_has_opened_says_so_and_stays_open(handlers: Handlers) -> None:
    view = {"id": "V1", "type": "modal", "callback_id": "rollout_rewind", "private_metadata": "{}"}
    blocks = [{"type": "input", "block_id": "reason"}]
    answer = hear(handlers.app, {"type": "view_submission", "user": {"id": BOB}, "view": {**view, "blocks": blocks}})
    assert (answer.status, json.loads(answer.body)) == (
        200,
        {
            "response_action": "errors",
            "errors": {
                "reason": "I do not know this dialog. Another install or another version of the bot may have opened "
                "it: send it again, or use the newest card."
            },
        },
    )


def test_a_button_that_nobody_here_has_drawn_is_answered(handlers: Handlers, slack: StrictSlack) -> None:
    press: dict[str, Any] = {"type": "button", "action_id": "rollout_rewind", "block_id": "b", "action_ts": "1.2"}
    click = {"type": "block_actions", "user": {"id": BOB}, "actions": [press], "trigger_id": "1.2"}
    answer = hear(handlers.app, {**click, "response_url": slack.response_url(BOB)})
    assert (answer.status, answer.body) == (200, "")
    wait_until("an answer", lambda: bool(slack.private))
    assert [said["text"] for said in slack.private] == [
        "I do not know this button. Another install or another version of the bot may have drawn it: press it again, "
        "or use the newest card."
    ]
