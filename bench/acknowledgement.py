"""How long Slack waits for the acknowledgement while 200 people send requests, each again as soon as it is answered.

This is the real app with the real engine on Valkey, called from 32 threads, as Socket Mode does. Requests go through
the work lane but are not carried out. The floor is Bolt with the same settings and a listener that writes once to
Redis.
"""

import json
import queue
import threading
import time
from collections.abc import Callable
from typing import Any

import redis
from slack_bolt import Ack, App, BoltRequest, BoltResponse
from slack_sdk import WebClient
from slack_sdk.web import SlackResponse

from bench.figures import Finding, Round, rows_of
from bench.population import ALICE, CHANNEL
from bench.servers import Servers, memory_of
from bot.config.policy import Policy
from bot.domain.commands.request import Request
from bot.domain.rollout import Entry
from bot.engine.engine import Engine
from bot.service.parts import put_together
from bot.store.clock import SystemClock
from handlers.app import bolt_app, build
from handlers.buttons import Press, action_id
from k8s.cluster import Cluster

ROUNDS, PEOPLE, THREADS, TOTAL = 5, 200, 32, 1500
COMMAND = Policy(namespaces=()).command
BRAKE = action_id("rollback")


class Still:
    """The real engine, but it carries nothing out: the bench measures only the acknowledgement."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def carry_out(self, request: Request) -> Entry | None:
        return None


class Silent(WebClient):
    """A Slack that answers at once, so that the bench does not measure a network."""

    def users_info(self, **_: Any) -> SlackResponse:
        return self._answer({"user": {"id": ALICE, "team_id": "T0"}})

    def auth_test(self, **_: Any) -> SlackResponse:
        return self._answer({"team_id": "T0", "user_id": "U0BOT", "bot_id": "B0"})

    def _answer(self, document: dict[str, Any]) -> SlackResponse:
        return SlackResponse(
            client=self,
            http_verb="POST",
            api_url="",
            req_args={},
            data={"ok": True, **document},
            headers={},
            status_code=200,
        )


def bare_app(client: "redis.Redis") -> App:
    """Return the floor: Bolt with the same settings, and listeners that write once to Redis."""
    app = bolt_app(WebClient("xoxb-bench"))

    @app.command(COMMAND)
    def command(ack: Ack, command: dict[str, Any]) -> None:
        client.hset("bare", command["trigger_id"], json.dumps(command))
        ack(text="Taken.", response_type="ephemeral")

    @app.action(BRAKE)
    def action(ack: Ack, body: dict[str, Any]) -> None:
        client.hset("bare", body["trigger_id"], json.dumps(body["actions"]))
        ack()

    return app


def a_command(delivery: str) -> dict[str, Any]:
    """Return a slash command as Socket Mode brings it."""
    return {
        "token": "bench",
        "team_id": "T0",
        "team_domain": "bench",
        "channel_id": CHANNEL,
        "channel_name": "inference",
        "user_id": ALICE,
        "user_name": "alice",
        "command": COMMAND,
        "text": "pause vllm-llama3-8b-instruct-new the latency looks wrong",
        "api_app_id": "A0",
        "is_enterprise_install": "false",
        "response_url": "",
        "trigger_id": delivery,
    }


def a_click(delivery: str) -> dict[str, Any]:
    """Return a click on Roll back as Socket Mode brings it."""
    value = Press("r-7f3a2c01", 2).dumps()
    action = {"action_id": BRAKE, "block_id": "card:r-7f3a2c01:1.2", "type": "button", "value": value, "action_ts": "1"}
    return {
        "type": "block_actions",
        "user": {"id": ALICE, "username": "alice", "team_id": "T0"},
        "api_app_id": "A0",
        "container": {"type": "message", "message_ts": "1700000000.000100", "channel_id": CHANNEL},
        "trigger_id": delivery,
        "team": {"id": "T0", "domain": "bench"},
        "channel": {"id": CHANNEL, "name": "inference"},
        "response_url": "",
        "actions": [action],
    }


def require_taken(answer: BoltResponse) -> None:
    """Raise RuntimeError if the app did not acknowledge."""
    if answer.status != 200:
        raise RuntimeError(f"The app answered {answer.status}: {answer.body}")


def closed_loop(app: App, payload: Callable[[str], dict[str, Any]], mark: str) -> list[float]:
    """Let PEOPLE send requests, each again as soon as it is answered, in THREADS threads; return the waits."""
    asked: queue.SimpleQueue[tuple[int, float] | None] = queue.SimpleQueue()
    waits: list[float] = []

    def work() -> None:
        while (item := asked.get()) is not None:
            number, since = item
            answer = app.dispatch(BoltRequest(mode="socket_mode", body=payload(f"{mark}-{number}")))
            waits.append(time.perf_counter() - since)
            require_taken(answer)
            asked.put((number + PEOPLE, time.perf_counter()) if number + PEOPLE < TOTAL else None)

    threads = [threading.Thread(target=work) for _ in range(THREADS)]
    for number in range(PEOPLE):
        asked.put((number, time.perf_counter()))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return waits


def measure(servers: Servers) -> Finding:
    """Measure the waits for a command and for a click, against those of the bare app."""
    client, policy = servers.redis(), Policy(namespaces=("default",))
    memory, clock, cluster = memory_of(client), SystemClock(), Cluster(servers.api(), policy.namespaces)
    engine: Any = Still(put_together(cluster, memory.store, memory.for_rebuild, clock, policy).engine)
    handlers = build(engine, memory.store, clock, policy, Silent("xoxb-bench"))
    bare = bare_app(client)
    rows = []
    for what, payload in (("command acknowledged", a_command), ("click acknowledged", a_click)):
        rounds = []
        for number in range(ROUNDS + 1):
            client.flushdb()
            mark = f"{what}-{number}"
            rounds.append(Round(closed_loop(bare, payload, mark), closed_loop(handlers.app, payload, mark)))
        rows += rows_of(what, rounds[1:], goals={50: "1.3", 99: "1.3"})
    handlers.close()
    return Finding(title="Acknowledgement", about=__doc__ or "", rows=rows)
