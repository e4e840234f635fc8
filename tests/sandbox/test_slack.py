"""The Slack of the sandbox."""

import http.server
import threading
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from slack_sdk import WebClient
from slack_sdk.signature import SignatureVerifier

from sandbox import slack
from sandbox.slack import BOT, BOT_TOKEN, ELSEWHERE, GENERAL, INFERENCE, SIGNING_SECRET, Slack
from sandbox.workplace import workplace


@pytest.fixture
def client(local_slack: Slack) -> WebClient:
    local_slack.reset()
    return WebClient(BOT_TOKEN, base_url=local_slack.api_url)


def test_the_bot_is_in_two_of_three_channels(client: WebClient) -> None:
    # Here `conversations.info` says `is_member` of every channel; only the list of members is true.
    members = {id: client.conversations_members(channel=id)["members"] for id in (INFERENCE, GENERAL, ELSEWHERE)}

    assert {id: BOT in found for id, found in members.items()} == {INFERENCE: True, GENERAL: True, ELSEWHERE: False}


def test_what_the_bot_posts_is_seen_with_its_block_id(client: WebClient, local_slack: Slack) -> None:
    block = {"type": "section", "block_id": "card:r-1:1", "text": {"type": "mrkdwn", "text": "10 %"}}
    client.chat_postMessage(channel=INFERENCE, text="10 %", blocks=[block])

    assert [(one["text"], one["blocks"]) for one in local_slack.messages()] == [("10 %", [block])]
    assert client.conversations_history(channel=INFERENCE)["messages"][0]["blocks"] == [block]


def test_http_mode_sends_a_signed_request() -> None:
    with (
        _receiver() as (url, received),
        workplace(prefix="tests") as place,
        slack.local_slack(place, mode="http", request_url=url) as running,
    ):
        running.command("status")

    headers, body = received[0]
    assert SignatureVerifier(SIGNING_SECRET).is_valid_request(body, headers)
    assert urllib.parse.parse_qs(body)["text"] == ["status"]


@contextmanager
def _receiver() -> Iterator[tuple[str, list[tuple[dict[str, str], str]]]]:
    received: list[tuple[dict[str, str], str]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            received.append((dict(self.headers.items()), body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/slack/events", received
        finally:
            server.shutdown()
            thread.join()
