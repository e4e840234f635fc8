"""What local-slack's page makes of Slack's times: the reader's own, while the bot reads back what it wrote."""

from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright
from slack_sdk import WebClient

from sandbox.slack import BOT_TOKEN, INFERENCE, Slack

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
