"""The bot without Socket Mode: Slack's signed requests over HTTP, and everybody else's."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from urllib.parse import urlencode

import pytest
import urllib3
from slack_sdk.signature import SignatureVerifier

from bot.domain.command import Verb
from sandbox.process import free_ports
from sandbox.slack import INFERENCE, SIGNING_SECRET, TEAM, local_slack
from sandbox.workplace import workplace
from tests.builders import ALICE, STABLE
from tests.scenarios.play import Play

BODY = urlencode(
    {
        "command": "/rollout",
        "text": "rollback",
        "user_id": ALICE,
        "channel_id": INFERENCE,
        "team_id": TEAM,
        "trigger_id": "a-stranger's",
    }
)


@pytest.fixture
def http(play: Play) -> Iterator[Play]:
    """Return a play whose Slack sends signed requests to a bot that runs."""
    address = f"127.0.0.1:{free_ports(1)[0]}"
    with (
        workplace(prefix="tests") as place,
        local_slack(place, mode="http", request_url=f"http://{address}/slack/events") as slack,
    ):
        play = replace(play, slack=slack)  # the list of bots is the same one, so the other play ends them
        play.bot(address=address, mode="http")
        yield play


def signed(secret: str, *, at: float) -> dict[str, str]:
    """Return the headers with which Slack signs a body."""
    stamp = str(int(at))
    signature = SignatureVerifier(secret).generate_signature(timestamp=stamp, body=BODY)
    assert signature is not None
    return {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": signature}


def post(play: Play, headers: Mapping[str, str]) -> int:
    """Send a roll back to the bot as anybody can."""
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    url = f"http://{play.bots[0].address}/slack/events"
    return urllib3.request("POST", url, body=BODY, headers={**kind, **headers}, retries=False).status


def test_signed_requests_do_what_they_say_and_all_others_are_401(http: Play) -> None:
    http.start()
    http.see("25 %, wants 50 %")
    now = time.time()
    assert [
        post(http, {}),
        post(http, signed("another secret", at=now)),
        post(http, signed(SIGNING_SECRET, at=now - 600)),
        post(http, {**signed(SIGNING_SECRET, at=now), "X-Slack-Request-Timestamp": "now"}),
    ] == [401, 401, 401, 401]
    assert http.title() == "25 %, wants 50 %"
    http.press(Verb.ROLLBACK)
    http.see("rolled back")
    assert http.world.weights() == [(STABLE, 1)]
    assert post(http, signed(SIGNING_SECRET, at=now)) == 200
