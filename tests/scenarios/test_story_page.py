"""What local-slack's page shows as Slack does: times, questions before buttons, private answers, and loud replies."""

from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright
from slack_sdk import WebClient

from sandbox.slack import BOT_TOKEN, INFERENCE, Slack
from tests.builders import ALICE, BOB

CHROMIUM = Path("/usr/bin/chromium")
NOON = "<!date^1795435200^{date_num} {time_secs}|12:00 UTC>"


@pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium")
def test_times_are_shown_in_the_readers_zone(local_slack: Slack) -> None:
    local_slack.reset()
    client = WebClient(BOT_TOKEN, base_url=local_slack.api_url)
    text = f"before {NOON} *bold* <!date^never^{{time}}|no time>"
    client.chat_postMessage(channel=INFERENCE, text=text)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(timezone_id="Asia/Tokyo")
        page.goto(local_slack.url)
        page.get_by_text("before 2026-11-23 9:00:00 PM bold <!date^never^{time}|no time>").wait_for(timeout=20_000)
        client.chat_postMessage(channel=INFERENCE, text=f"live {NOON}")
        page.get_by_text("live 2026-11-23 9:00:00 PM").wait_for(timeout=20_000)
        browser.close()
    history = client.conversations_history(channel=INFERENCE)["messages"]
    assert [message["text"] for message in history] == [f"live {NOON}", text]


@pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium")
def test_the_page_asks_before_a_button_acts_and_shows_each_what_slack_would(local_slack: Slack) -> None:
    local_slack.reset()
    client = WebClient(BOT_TOKEN, base_url=local_slack.api_url)
    card = client.chat_postMessage(channel=INFERENCE, text="card", blocks=[CARD])
    thread = {"channel": INFERENCE, "thread_ts": card["ts"]}
    client.chat_postMessage(**thread, text="a step", blocks=[said("step", "a step")])
    sent: list[str] = []
    client.chat_postEphemeral(channel=INFERENCE, user=ALICE, text="for Alice alone")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        page.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(str(frame))))
        page.goto(local_slack.url)
        page.get_by_text("for Alice alone").wait_for(timeout=20_000)
        client.chat_postMessage(**thread, text="danger", blocks=[said("loud", "danger")], reply_broadcast=True)
        page.get_by_text("danger").wait_for(timeout=20_000)
        assert page.get_by_text("a step").count() == 0
        page.reload()
        page.get_by_text("danger").wait_for(timeout=20_000)

        page.locator("select").select_option(BOB)
        page.get_by_text("for Alice alone").wait_for(state="hidden", timeout=20_000)

        page.get_by_role("button", name="Go").click()
        page.get_by_role("dialog").get_by_role("button", name="No").click()
        page.get_by_role("button", name="Go").click()
        page.get_by_role("dialog").get_by_text("It goes.").wait_for(timeout=20_000)
        assert not any("block_action" in frame for frame in sent)
        page.get_by_role("dialog").get_by_role("button", name="Yes").click()
        page.get_by_role("dialog").wait_for(state="hidden", timeout=20_000)
        assert ["block_action" in frame for frame in sent] == [True]
        browser.close()


@pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium")
def test_the_page_asks_before_a_button_beside_a_text_acts_too(local_slack: Slack) -> None:
    local_slack.reset()
    client = WebClient(BOT_TOKEN, base_url=local_slack.api_url)
    choice = said("choice", "on one") | {"accessory": BUTTON}
    client.chat_postEphemeral(channel=INFERENCE, user=ALICE, text="choose", blocks=[choice])
    sent: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        page.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(str(frame))))
        page.goto(local_slack.url)
        page.get_by_role("button", name="Go").click()
        page.get_by_role("dialog").get_by_text("It goes.").wait_for(timeout=20_000)
        assert not any("block_action" in frame for frame in sent)
        page.get_by_role("dialog").get_by_role("button", name="Yes").click()
        page.get_by_role("dialog").wait_for(state="hidden", timeout=20_000)
        assert ["block_action" in frame for frame in sent] == [True]
        browser.close()


def said(block_id: str, text: str) -> dict[str, object]:
    return {"type": "section", "block_id": block_id, "text": {"type": "plain_text", "text": text}}


def plain(text: str) -> dict[str, str]:
    return {"type": "plain_text", "text": text}


CONFIRM = {"title": plain("Go?"), "text": plain("It goes."), "confirm": plain("Yes"), "deny": plain("No")}
BUTTON = {"type": "button", "action_id": "go", "text": plain("Go"), "value": "1", "confirm": CONFIRM}
CARD = {"type": "actions", "block_id": "card", "elements": [BUTTON]}
