"""No secret gets out: a story in which every dependency fails and says too much, and a search of all that was said.

The one place that may hold a secret is the inbox in Redis: a request waits there with its response_url, because its
answer goes there, and leaves with it.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import pytest
import redis
import urllib3
import yaml
from typer.testing import CliRunner

from bot.__main__ import app
from bot.domain.rollout import Phase
from bot.store.connection import connect
from bot.store.store import RedisStore
from handlers.private import TRIES
from sandbox.apiserver import ApiServer
from sandbox.fault_proxy import FaultProxy, fault_proxy
from sandbox.faults import Fault
from sandbox.gateway import Answer
from sandbox.process import wait_until
from sandbox.rights import give_rights
from sandbox.robot import Robot
from sandbox.slack import APP_TOKEN, BOT_TOKEN, SIGNING_SECRET
from sandbox.strict_slack import Delivery, StrictSlack, strict_slack
from sandbox.valkey import INSTALL, Valkey
from sandbox.workplace import Workplace
from sandbox.world import World
from tests.builders import ALICE, BOB, CANARY
from tests.memory import PREFIX, a_store
from tests.scenarios.admission import refusing_policy
from tests.scenarios.play import Bot, bot_process

PASSWORD, OTHER_PASSWORD = "planted-pässword/1", "planted-too"
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJwbGFudGVkIn0.c2ln"


@dataclass
class Story:
    """Two bots, one over HTTP and one whose Socket Mode never connects, and all that is said while they run."""

    slack: StrictSlack
    world: World
    robot: Robot
    valkey: Valkey
    proxy: FaultProxy
    bots: tuple[Bot, Bot]
    environment: dict[str, str]
    deliveries: list[Delivery] = field(default_factory=list)
    pages: list[str] = field(default_factory=list)

    def say(self, text: str, user: str = BOB) -> Delivery:
        """Type a command."""
        delivery = self.slack.command(text, user=user)
        self.deliveries.append(delivery)
        self.slack.send(delivery, f"http://{self.bots[0].address}", patience=10)
        return delivery

    def hears(self, delivery: Delivery, words: str) -> None:
        """Wait until the person was told so in private."""
        wait_until(words, lambda: any(words in said for said in self.slack.said(delivery)), seconds=20)

    def tells(self, words: str) -> None:
        """Wait until a card or its thread says so."""
        wait_until(words, lambda: words in self._told(), seconds=20)

    def logs(self, words: str) -> None:
        """Wait until a log says so."""
        wait_until(words, lambda: any(words in bot.log() for bot in self.bots), seconds=20)

    def becomes(self, phase: Phase) -> None:
        """Wait until the rollout is in a phase, and on its route so."""
        with connect(self.redis_url) as client:
            store = a_store(client)
            wait_until(phase, lambda: [(True, phase)] == _stand(store), seconds=20)

    @property
    def redis_url(self) -> str:
        return redis_url(self.valkey)

    def type(self, *words: str) -> int:
        """Type a command in a terminal, and return its exit code."""
        result = CliRunner().invoke(app, words, env=self.environment)
        self.pages.append(result.output)
        return result.exit_code

    def look(self) -> None:
        """Take down what everybody may read of the bots."""
        for bot in self.bots:
            for page in ("readyz", "metrics", "healthz"):
                self.pages.append(urllib3.request("GET", f"http://{bot.probes}/{page}", retries=False).data.decode())

    def everything(self) -> dict[str, str]:
        """Return all that was said, by where."""
        return {
            "logs": "".join(bot.log() for bot in self.bots),
            "cards and threads": self._told(),
            "private answers": json.dumps([self.slack.said(delivery) for delivery in self.deliveries]),
            "what Slack was asked": json.dumps(self.slack.calls, default=str, ensure_ascii=False),
            "the route": json.dumps(self.world.http_route(), ensure_ascii=False),
            "Redis": _dump(self.redis_url),
            "pages": "".join(self.pages),
        }

    def _told(self) -> str:
        with self.slack.lock:
            return json.dumps([(one.text, one.blocks) for one in self.slack.journal], ensure_ascii=False)


def _stand(store: RedisStore) -> list[tuple[bool, Phase]]:
    return [(entry.is_applied, entry.rollout.phase) for entry in store.named(CANARY)]


def redis_url(valkey: Valkey) -> str:
    return f"redis://:{quote(PASSWORD, safe='')}@127.0.0.1:{valkey.port}/0"


def _dump(url: str) -> str:
    """Return every key and every value but the inbox's, however it is kept."""
    with redis.Redis.from_url(url, decode_responses=True) as client:
        reads: dict[str, Callable[[str], Any]] = {
            "string": client.get,
            "hash": client.hgetall,
            "list": lambda key: client.lrange(key, 0, -1),
            "zset": lambda key: client.zrange(key, 0, -1),
            "set": client.smembers,
        }
        keys = [key for key in client.scan_iter(count=1000) if key != f"{PREFIX}inbox"]
        kinds = {key: str(client.type(key)) for key in keys}
        found = {key: reads[kind](key) for key, kind in kinds.items() if kind != "none"}  # it has expired meanwhile
    return json.dumps(found, default=str, ensure_ascii=False)


@pytest.fixture
def story(place: Workplace, api_server: ApiServer, world: World, robot: Robot, own_valkey: Valkey) -> Iterator[Story]:
    give_rights(world.kube, world.namespace)
    with redis.Redis.from_url(own_valkey.url()) as client:
        client.config_set("requirepass", PASSWORD)
    folder = place.folder / f"secrets-{world.namespace}"
    folder.mkdir()
    (folder / "policy.yaml").write_text(yaml.safe_dump({"namespaces": [world.namespace], "approvals": {"at": []}}))
    with fault_proxy(api_server) as proxy, strict_slack() as slack:
        common = {
            "KUBECONFIG": str(proxy.kubeconfig("rolloutbot")),
            "REDIS_URL": redis_url(own_valkey),
            "ROLLOUTBOT_INSTALL": INSTALL,
            "SLACK_API_URL": slack.api_url,
            "SLACK_BOT_TOKEN": BOT_TOKEN,
            "SLACK_SIGNING_SECRET": SIGNING_SECRET,
            "ROLLOUTBOT_CONFIG": str(folder / "policy.yaml"),
        }
        socket = {**common, "SLACK_APP_TOKEN": APP_TOKEN, "ROLLOUTBOT_LOG": "json"}
        bots = bot_process("http", folder, common), bot_process("socket", folder, socket)
        bots[1].server.start()
        bots[0].start()
        yield Story(slack, world, robot, own_valkey, proxy, bots, socket)
        for bot in bots:
            bot.server.kill()


def test_no_secret_is_in_anything_that_anybody_can_read(story: Story, api_server: ApiServer) -> None:
    token = api_server.tokens["rolloutbot"]
    too_much = f"denied for Bearer {token}, {BOT_TOKEN} and {JWT} at {redis_url(story.valkey)}"
    story.say(f"start {CANARY} 10 every=1h", ALICE)
    story.becomes(Phase.PROGRESSING)
    story.logs("Slack cannot be reached")
    # The API server, and whoever has a say in it.
    with refusing_policy(story.world, too_much):
        story.say("advance")
        story.logs("denied for")
    story.becomes(Phase.PAUSED)
    story.tells("denied for")
    story.robot.answer = Answer(refuses=too_much)
    story.say("resume")
    story.becomes(Phase.PROGRESSING)
    story.say("advance")
    story.tells("The gateway refused the route")
    story.robot.answer = Answer()
    for fault in (Fault.UNKNOWN_TOKEN, Fault.BROKEN, Fault.REFUSED):
        with story.proxy.failing(fault):
            story.hears(story.say(f"start {CANARY} 20", ALICE), "API server")
    with story.proxy.failing(Fault.BROKEN):
        assert story.type("rollback", "--from-route", story.world.route, "--wait", "0") == 3
    # Slack.
    story.slack.faults.next("chat.update", "500", "fatal_error")
    story.slack.faults.next("response_url", *["500"] * (1 + TRIES))
    story.say("promote nobody")
    story.logs("A private answer was refused: status 500.")
    # Redis, whose password is another one from now on.
    with redis.Redis.from_url(story.redis_url) as client:
        client.config_set("requirepass", OTHER_PASSWORD)
        client.client_kill_filter(_type="normal", skipme=True)
        assert "Redis refused (`WRONGPASS`)." in story.slack.said(story.say("status"))[0]
        story.look()
        assert story.type("status") == 3
        story.say("rollback")
        story.tells("rolled back")
        client.config_set("requirepass", PASSWORD)
    story.becomes(Phase.ROLLED_BACK)
    story.look()

    planted = [BOT_TOKEN, APP_TOKEN, SIGNING_SECRET, PASSWORD, quote(PASSWORD, safe=""), OTHER_PASSWORD, token, JWT]
    planted += [json.dumps(PASSWORD)[1:-1], *(delivery.reply_path for delivery in story.deliveries)]
    said = story.everything()
    assert "denied for …, … and … at …" in said["cards and threads"]
    assert {where: [secret for secret in planted if secret in text] for where, text in said.items()} == {
        where: [] for where in said
    }
