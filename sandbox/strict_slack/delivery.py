"""What people do, as signed requests that a bot has to answer within three seconds."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlencode

import urllib3
from slack_sdk.signature import SignatureVerifier

from sandbox.slack import SIGNING_SECRET, TEAM

PATIENCE = 3.0
Outcome = Literal["acknowledged", "operation_timeout", "dispatch_failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One sending of a delivery: where to, and what the person saw."""

    to: str
    at: float
    seconds: float
    outcome: Outcome
    answer: str = ""
    """The sentence in the acknowledgement; only commands and dialogs have one."""


@dataclass(slots=True, kw_only=True)
class Delivery:
    """A command, a click or a dialog. Sent twice, it keeps its trigger and its address for answers."""

    kind: Literal["command", "click", "dialog"]
    body: str
    trigger: str
    reply_path: str
    attempts: list[Attempt] = field(default_factory=list)

    @property
    def acknowledged(self) -> bool:
        """Return whether any attempt was acknowledged."""
        return any(attempt.outcome == "acknowledged" for attempt in self.attempts)


def sender(user: str, channel: str) -> dict[str, Any]:
    """Return how payloads of clicks and dialogs describe a person and a channel."""
    return {
        "team": {"id": TEAM, "domain": "sandbox"},
        "user": {"id": user, "username": user.lower(), "team_id": TEAM},
        "api_app_id": "A0ROLLOUT1",
        **({"channel": {"id": channel, "name": channel.lower()}} if channel else {}),
    }


def command_body(name: str, text: str, user: str, channel: str, marks: Mapping[str, str]) -> str:
    """Return a slash command as Slack posts it, with ``text`` escaped."""
    words = {"command": name, "text": text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")}
    where = {"team_id": TEAM, "team_domain": "sandbox", "channel_id": channel, "channel_name": channel.lower()}
    who = {"user_id": user, "user_name": user.lower(), "api_app_id": "A0ROLLOUT1"}
    return urlencode({**words, **where, **who, **marks})


def payload_body(payload: Mapping[str, Any]) -> str:
    """Return a click or a dialog as Slack posts it."""
    return urlencode({"payload": json.dumps(payload)})


def send(delivery: Delivery, to: str, *, patience: float = PATIENCE) -> Attempt:
    """Sign a delivery, send it to a bot's ``http://host:port`` once, and record what came back in time."""
    began = time.time()
    headers = {"Content-Type": "application/x-www-form-urlencoded", **_signed(delivery.body, began)}
    try:
        answer = _post(f"{to}/slack/events", delivery.body, headers, patience)
    except urllib3.exceptions.HTTPError as error:
        late = isinstance(error, urllib3.exceptions.TimeoutError)
        outcome: Outcome = "operation_timeout" if late else "dispatch_failed"
        return _note(delivery, Attempt(to=to, at=began, seconds=time.time() - began, outcome=outcome))
    outcome = "acknowledged" if answer.status == 200 else "dispatch_failed"
    said = _said(answer.data) if outcome == "acknowledged" else ""
    return _note(delivery, Attempt(to=to, at=began, seconds=time.time() - began, outcome=outcome, answer=said))


def _post(url: str, body: str, headers: Mapping[str, str], patience: float) -> urllib3.BaseHTTPResponse:
    within = urllib3.Timeout(total=patience)
    return urllib3.request("POST", url, body=body, headers=headers, timeout=within, retries=False)


def _note(delivery: Delivery, attempt: Attempt) -> Attempt:
    delivery.attempts.append(attempt)
    return attempt


def _said(body: bytes) -> str:
    """Return the sentence that Slack shows: the answer to a command, or the error of a dialog's field."""
    answer = json.loads(body) if body.startswith(b"{") else {}
    return str(answer.get("text") or " ".join((answer.get("errors") or {}).values()))


def _signed(body: str, at: float) -> dict[str, str]:
    stamp = str(int(at))
    signature = SignatureVerifier(SIGNING_SECRET).generate_signature(timestamp=stamp, body=body)
    return {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": str(signature)}
