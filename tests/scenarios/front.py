"""The bot as Slack sees it, on real servers: payloads go in, and every sentence of the answers comes out."""

import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from slack_bolt import BoltRequest

from handlers.app import build, web_client
from handlers.buttons import Press, action_id
from sandbox.process import wait_until
from sandbox.slack import BOT_TOKEN, TEAM
from sandbox.strict_slack import StrictSlack
from tests.builders import ALICE, BOB
from tests.stage import Stage

ROOM = "C0INFER001"
SLACKS_PATIENCE = 3.0


@dataclass
class Front:
    """A stage with the handlers in front of it, and a strict Slack."""

    stage: Stage
    slack: StrictSlack

    def __post_init__(self) -> None:
        stage, client = self.stage, web_client(BOT_TOKEN, base_url=self.slack.api_url)
        self.handlers = build(stage.engine, stage.store, stage.clock, stage.policy, client)

    def types(self, text: str, channel: str = ROOM) -> list[str]:
        """Type a command; return every sentence of the answer but the receipt."""
        return self._answers(self._receipt(text, channel))

    def acknowledged(self, text: str, channel: str = ROOM) -> str:
        """Type a command; return the acknowledgement, which Slack waits for no longer than it does.

        A question of somebody new is answered in private when Slack has said who that is.
        """
        told = len(self.slack.private)
        if receipt := self._receipt(text, channel):
            return receipt
        wait_until("an answer", lambda: len(self.slack.private) > told, seconds=5)
        return str(self.slack.private[-1]["text"])

    def _receipt(self, text: str, channel: str) -> str:
        said = self._hear(self._typed(text, channel))
        receipt = json.loads(said) if said else {"text": "", "response_type": "ephemeral"}
        assert receipt["response_type"] == "ephemeral"
        return str(receipt["text"])

    def acknowledged_twice(self, text: str, meanwhile: Callable[[], object] = lambda: None) -> list[str]:
        """Type a command that Slack delivers twice; return both acknowledgements."""
        body = self._typed(text, ROOM)
        first = self._hear(body)
        meanwhile()
        return [str(json.loads(said)["text"]) for said in (first, self._hear(body))]

    def presses(self, verb: str, *, turn: int, user: str = BOB) -> list[str]:
        """Press a button of the only rollout's card; return every sentence of the answer."""
        (entry,) = self.stage.store.entries()
        value = Press(entry.rollout.id, turn).dumps()
        action = {"type": "button", "action_id": action_id(verb), "block_id": "b", "value": value, "action_ts": "1.2"}
        place = {"container": {"type": "message", "message_ts": "9.9", "channel_id": ROOM}, "channel": {"id": ROOM}}
        body = {**self._from(), "type": "block_actions", "user": {"id": user}, "actions": [action], **place}
        return self._answers(self._hear(body))

    def presses_in_list(self, button: Mapping[str, Any], block_id: str, user: str = BOB) -> list[str]:
        """Press a button of a private answer; return every sentence of the answers so far."""
        pressed = {key: button[key] for key in ("type", "action_id", "value")}
        action = {**pressed, "block_id": block_id, "action_ts": "1.2"}
        where = {"type": "message", "message_ts": "9.9", "channel_id": ROOM, "is_ephemeral": True}
        place = {"container": where, "channel": {"id": ROOM}}
        body = {**self._from(), "type": "block_actions", "user": {"id": user}, "actions": [action], **place}
        return self._answers(self._hear(body))

    def opens(self, text: str, channel: str = ROOM) -> dict[str, Any]:
        """Type what opens a form; return it."""
        return self._opened(self._typed(text, channel))

    def types_in_vain(self, text: str) -> None:
        """Type what opens a form, where it does not open."""
        assert self._hear(self._typed(text, ROOM)) == ""

    def opens_home(self, user: str) -> dict[str, Any]:
        """Open the home tab; return it."""
        self.slack.homes.pop(user, None)
        event = {"type": "app_home_opened", "user": user, "channel": f"D{user}", "tab": "home", "event_ts": "1.2"}
        self._hear({"type": "event_callback", "team_id": TEAM, "event_id": "Ev1", "event": event})
        wait_until("the home tab", lambda: user in self.slack.homes, seconds=5)
        return self.slack.homes[user]

    def presses_at_home(self, button: Mapping[str, Any], user: str) -> str:
        """Press a button of the home tab; return the acknowledgement."""
        return self._hear(self._at_home(button, user))

    def opens_from_home(self, button: Mapping[str, Any], user: str) -> dict[str, Any]:
        """Press a button of the home tab that opens a form; return it."""
        return self._opened(self._at_home(button, user))

    def submits(self, view: Mapping[str, Any], user: str = ALICE, **inputs: Any) -> Any:
        """Submit a form; return the answer, None where it closes. An input is words, or what Slack says of it."""
        values = {block_id: {block_id: value} for block_id, value in inputs.items()}
        (payload,) = parse_qs(self.slack.submission(view, values, user=user).body)["payload"]
        answer = self._hear(json.loads(payload))
        return json.loads(answer) if answer else None

    def settles(self) -> list[str]:
        """Wait until all work is done; return every private sentence but receipts."""
        return self._answers("")

    def written(self) -> Any:
        """Return everything that a request can write: routes, records, events, the inbox, messages."""
        stage, routes = self.stage, self.stage.world.route_path().rsplit("/", 1)[0]
        metadata = [one["metadata"] for one in self._list(routes)]
        versions = [(one["name"], one["generation"], one.get("annotations")) for one in metadata]
        entries = [(entry.rollout, stage.events(entry.rollout.id)) for entry in stage.store.entries()]
        stage.clock.forward(seconds=1)
        return versions, entries, list(stage.store.requests(stage.clock.now())), list(self.slack.messages)

    def _list(self, path: str) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = self.stage.world.kube.get(path)["items"]
        return items

    def _from(self, channel: str = ROOM) -> dict[str, Any]:
        marks = {"trigger_id": self.slack.trigger(), "response_url": self.slack.response_url(ALICE, channel)}
        return {"team_id": TEAM, "channel_id": channel, **marks}

    def _typed(self, text: str, channel: str) -> dict[str, Any]:
        return {**self._from(channel), "command": "/rollout", "text": text, "user_id": ALICE}

    def _at_home(self, button: Mapping[str, Any], user: str) -> dict[str, Any]:
        """Return a click as Slack sends it from a home tab: in no channel, and with no address for answers."""
        view = self.slack.homes[user]
        where = {"container": {"type": "view", "view_id": view["id"]}, "view": view}
        pressed = {key: button[key] for key in ("type", "action_id", "value") if key in button}
        actions = [{**pressed, "block_id": "b", "action_ts": "1.2"}]
        who = {"team": {"id": TEAM}, "user": {"id": user}, "trigger_id": self.slack.trigger()}
        return {"type": "block_actions", **who, **where, "actions": actions}

    def _opened(self, body: dict[str, Any]) -> dict[str, Any]:
        before = len(self.slack.views)
        assert self._hear(body) == ""
        wait_until("the form", lambda: len(self.slack.views) > before, seconds=5)
        return self.slack.views[-1]

    def _hear(self, body: dict[str, Any]) -> str:
        with ThreadPoolExecutor(1) as slack:
            heard = slack.submit(self.handlers.app.dispatch, BoltRequest(mode="socket_mode", body=body))
            answer = heard.result(SLACKS_PATIENCE)
        assert answer.status == 200
        return str(answer.body)

    def _answers(self, receipt: str) -> list[str]:
        self.handlers.close()
        private = [str(answer["text"]) for answer in self.slack.private]
        return [text for text in [receipt, *private] if text and not text.startswith("Got it: ")]
