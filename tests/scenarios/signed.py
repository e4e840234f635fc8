"""Slack's signed requests over HTTP, as anybody can send them to a bot."""

from collections.abc import Mapping
from time import time
from urllib.parse import urlencode

import urllib3
from slack_sdk.signature import SignatureVerifier

from sandbox.slack import INFERENCE, SIGNING_SECRET, TEAM
from tests.builders import ALICE


def a_command(text: str, *, reply_to: str = "") -> str:
    """Return the body of a slash command of Alice's."""
    who = {"user_id": ALICE, "channel_id": INFERENCE, "team_id": TEAM, "trigger_id": f"trigger-{time()}"}
    return urlencode({"command": "/rollout", "text": text, "response_url": reply_to, **who})


def signed(body: str, secret: str = SIGNING_SECRET, *, at: float | None = None) -> dict[str, str]:
    """Return the headers with which Slack signs a body."""
    stamp = str(int(time() if at is None else at))
    signature = SignatureVerifier(secret).generate_signature(timestamp=stamp, body=body)
    assert signature is not None
    return {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": signature}


def post(address: str, body: str, headers: Mapping[str, str]) -> int:
    """Send it and return the status."""
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    url = f"http://{address}/slack/events"
    return urllib3.request("POST", url, body=body, headers={**kind, **headers}, retries=False).status
