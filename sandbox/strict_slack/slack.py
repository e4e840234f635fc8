"""The stand-in for its users: a workspace, its faults, and what people do."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.slack import BOT_TOKEN, INFERENCE, SIGNING_SECRET
from sandbox.strict_slack.delivery import PATIENCE, Attempt, Delivery, command_body, payload_body, send, sender
from sandbox.strict_slack.faults import Faults
from sandbox.strict_slack.limits import Limits
from sandbox.strict_slack.methods import METHODS
from sandbox.strict_slack.workspace import RefusedError, Words, Workspace


@dataclass(repr=False)
class StrictSlack(Workspace):
    """A running stand-in. Each ``meanwhile`` is called once, after the next call of its method."""

    url: str = ""
    faults: Faults = field(default_factory=Faults)
    limits: Limits = field(default_factory=Limits)
    calls: list[tuple[str, Words]] = field(default_factory=list)
    meanwhile: dict[str, Callable[[], object]] = field(default_factory=dict)
    deliveries: list[Delivery] = field(default_factory=list)

    @property
    def api_url(self) -> str:
        """Return the base address of the Web API, as ``SLACK_API_URL`` wants it."""
        return f"{self.url}/api/"

    def environment(self) -> dict[str, str]:
        """Return the variables that point a bot at this stand-in."""
        return {
            "SLACK_API_URL": self.api_url,
            "SLACK_BOT_TOKEN": BOT_TOKEN,
            "SLACK_SIGNING_SECRET": SIGNING_SECRET,
        }

    def count(self, method: str) -> int:
        """Return how often a method was called, with failed calls."""
        return sum(1 for called, _ in self.calls if called == method)

    def response_url(self, user: str, channel: str = INFERENCE) -> str:
        """Return a new address for private answers."""
        return f"{self.url}{self.reply_to(user, channel)}"

    def answer(self, method: str, words: Words) -> dict[str, Any]:
        """Carry out a call, and answer as Slack does."""
        with self.lock:
            try:
                answer = {"ok": True, **METHODS[method](self, words)}
            except RefusedError as error:
                return {"ok": False, "error": str(error)}
            self.meanwhile.pop(method, lambda: None)()
            return answer

    # --- what people do

    def command(self, text: str, *, user: str, channel: str = INFERENCE, name: str = "/rollout") -> Delivery:
        """Return a slash command, ready to be sent."""
        trigger, path = self.trigger(), self.reply_to(user, channel)
        marks = {"trigger_id": trigger, "response_url": f"{self.url}{path}"}
        body = command_body(name, text, user, channel, marks)
        return self._ready(Delivery(kind="command", body=body, trigger=trigger, reply_path=path))

    def click(
        self, ts: str, action_id: str, *, user: str, channel: str = INFERENCE, value: str | None = None
    ) -> Delivery:
        """Return a click on a button of a message, or with ``value`` on an earlier version of the button."""
        message = self.message(channel, ts)
        drawn = buttons(message)[action_id] if value is None else {"block_id": "older", "value": value}
        action = {"type": "button", "action_id": action_id, "action_ts": f"{self.now():.6f}", **drawn}
        place = {"type": "message", "message_ts": ts, "channel_id": channel, "is_ephemeral": False}
        trigger, path = self.trigger(), self.reply_to(user, channel)
        payload = {
            "type": "block_actions",
            **sender(user, channel),
            "container": place,
            "message": message,
            "trigger_id": trigger,
            "response_url": f"{self.url}{path}",
            "actions": [action],
        }
        return self._ready(Delivery(kind="click", body=payload_body(payload), trigger=trigger, reply_path=path))

    def submission(
        self, view: Mapping[str, Any], values: Mapping[str, Mapping[str, str | Words]], *, user: str
    ) -> Delivery:
        """Return a filled-in dialog. ``values`` are texts or chosen values, by block and action."""
        state = {block: {action: _state(value) for action, value in filled.items()} for block, filled in values.items()}
        trigger = self.trigger()
        payload = {
            "type": "view_submission",
            **sender(user, ""),
            "trigger_id": trigger,
            "view": {**view, "state": {"values": state}},
        }
        return self._ready(Delivery(kind="dialog", body=payload_body(payload), trigger=trigger, reply_path=""))

    def send(self, delivery: Delivery, to: str, *, patience: float = PATIENCE) -> Attempt:
        """Send a delivery to a bot's ``http://host:port``. Sending it again makes a duplicate."""
        if delivery.attempts:
            self.faults.count("again", delivery.kind)
        attempt = send(delivery, to, patience=patience)
        if attempt.outcome != "acknowledged":
            self.faults.count(attempt.outcome, delivery.kind)
        return attempt

    def said(self, delivery: Delivery) -> list[str]:
        """Return what the person was told in private: acknowledgements first, then private answers."""
        with self.lock:
            told = [str(one.get("text")) for one in self.private if one["path"] == delivery.reply_path]
        return [*(attempt.answer for attempt in delivery.attempts if attempt.answer), *told]

    def _ready(self, delivery: Delivery) -> Delivery:
        with self.lock:
            self.deliveries.append(delivery)
        return delivery


def _state(value: str | Words) -> Words:
    return {"type": "plain_text_input", "value": value} if isinstance(value, str) else value


def buttons(message: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Return the buttons of a message by action: the block they are in, and their value."""
    return {
        element["action_id"]: {"block_id": block["block_id"], "value": element["value"]}
        for block in message["blocks"]
        for element in block.get("elements", [])
        if element.get("type") == "button"
    }
