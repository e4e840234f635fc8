"""The bot as Slack sees it, on real servers: payloads go in, and every sentence of the answers comes out."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from slack_bolt import BoltRequest

from handlers.app import build, web_client
from handlers.buttons import Press, action_id
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

    def types(self, text: str) -> list[str]:
        """Type a command; return every sentence of the answer but the receipt."""
        return self._answers(self.acknowledged(text))

    def acknowledged(self, text: str) -> str:
        """Type a command; return the acknowledgement, which Slack waits for no longer than it does."""
        receipt = json.loads(self._hear({**self._from(), "command": "/rollout", "text": text, "user_id": ALICE}))
        assert receipt["response_type"] == "ephemeral"
        return str(receipt["text"])

    def presses(self, verb: str, *, turn: int, user: str = BOB) -> list[str]:
        """Press a button of the only rollout's card; return every sentence of the answer."""
        (entry,) = self.stage.store.entries()
        value = Press(entry.rollout.id, turn).dumps()
        action = {"type": "button", "action_id": action_id(verb), "block_id": "b", "value": value, "action_ts": "1.2"}
        place = {"container": {"type": "message", "message_ts": "9.9", "channel_id": ROOM}, "channel": {"id": ROOM}}
        body = {**self._from(), "type": "block_actions", "user": {"id": user}, "actions": [action], **place}
        return self._answers(self._hear(body))

    def written(self) -> Any:
        """Return everything that a request can write: routes, records, events, the inbox, messages."""
        stage, routes = self.stage, self.stage.world.route_path().rsplit("/", 1)[0]
        versions = {one["metadata"]["name"]: one["metadata"]["resourceVersion"] for one in self._list(routes)}
        entries = [(entry.rollout, stage.events(entry.rollout.id)) for entry in stage.store.entries()]
        stage.clock.forward(seconds=1)
        return versions, entries, list(stage.store.requests(stage.clock.now())), list(self.slack.messages)

    def _list(self, path: str) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = self.stage.world.kube.get(path)["items"]
        return items

    def _from(self) -> dict[str, Any]:
        marks = {"trigger_id": self.slack.trigger(), "response_url": self.slack.response_url(ALICE, ROOM)}
        return {"team_id": TEAM, "channel_id": ROOM, **marks}

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
