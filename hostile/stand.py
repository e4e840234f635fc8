"""What is attacked: one bot in HTTP mode that leads one rollout at 10 %, and everything that can be seen of it."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import redis

from bot.domain.rollout import Phase, Rollout
from bot.engine.notes import Notes
from bot.store.keys import prefix_of
from k8s.document import annotation_of
from sandbox.apiserver import api_server
from sandbox.bot_process import NOTE_KEY, BotProcess, bot_process
from sandbox.errors import SandboxError
from sandbox.process import wait_until
from sandbox.robot import robot
from sandbox.strict_slack import StrictSlack, strict_slack
from sandbox.strict_slack.slack import buttons
from sandbox.valkey import INSTALL, valkey
from sandbox.workplace import workplace
from sandbox.world import CANARY, STABLE, World, create_world

ALICE, BOB = "U0ALICE001", "U0BOB00001"
PREFIX = prefix_of(INSTALL)
NOTES = Notes((NOTE_KEY.encode(),))
MADE_UP = "r-0000"
"""How ids begin that no rollout has."""
HELD, BACK = [(STABLE, 90), (CANARY, 10)], [(STABLE, 1)]
POLICY = {"plan": {"steps": [10, 100], "every": "1d", "bake": "1h"}, "approvals": {"at": []}}


@dataclass(frozen=True)
class Stand:
    """The bot and its servers. ``client`` may write to the bot's Redis."""

    bot: BotProcess
    slack: StrictSlack
    world: World
    client: "redis.Redis"

    def note(self) -> Rollout | None:
        """Return the record on the route, if the bot has signed it."""
        text = annotation_of(self.world.http_route())
        note = NOTES.read(text) if text else None
        return note.rollout if note and note.proof.value == "signed" else None

    def record(self) -> Rollout:
        """Return the bot's newest record."""
        (newest,) = map(str, self.client.lrange(f"{PREFIX}order:{self._uid()}", -1, -1))
        found = NOTES.read(str(self.client.hget(f"{PREFIX}r:{newest}", "record")))
        assert found is not None
        return found.rollout

    def say(self, text: str, user: str = ALICE) -> list[str]:
        """Type a command, and return what the person hears at once."""
        typed = self.slack.command(text, user=user)
        self.slack.send(typed, self.bot.url)
        return self.slack.said(typed)

    def go_on(self) -> None:
        """Let the rollout go on from a pause, at 10 %."""
        if self.record().phase is Phase.PAUSED:
            self.say("restore" if self.record().drifted else "resume")
            wait_until("the rollout to go on", lambda: self.record().phase is not Phase.PAUSED, seconds=10)
        wait_until("a signed note", lambda: self.note() == self.record(), seconds=45)

    def begin(self) -> None:
        """Start a rollout as soon as the route is free, and wait until it is at 10 %."""
        wait_until("a free route", lambda: self.client.hget(f"{PREFIX}slots", self._uid()) is None, seconds=20)
        cards = len(self.slack.cards())
        typed = self.slack.command(f"start {CANARY} 10", user=ALICE)
        self.slack.send(typed, self.bot.url)
        try:
            wait_until("the first weight", lambda: self.world.weights() == HELD, seconds=20)
        except SandboxError as error:
            raise SandboxError(f"{error} Alice heard {self.slack.said(typed)}.") from error
        wait_until("the card", lambda: len(self.slack.cards()) == cards + 1, seconds=20)
        wait_until("the gateway's word", lambda: self.record().phase is Phase.PROGRESSING, seconds=20)

    def roll_back(self) -> bool:
        """Press the button of the newest card, and say whether the traffic goes back."""
        card = self.slack.cards()[-1]
        (action,) = [name for name in buttons(card) if "rollback" in name]
        self.slack.send(self.slack.click(card["ts"], action, user=BOB), self.bot.url)
        return self.comes_back()

    def comes_back(self) -> bool:
        """Wait for the weights of a roll back; say whether they came."""
        with suppress(SandboxError):
            wait_until("the roll back", lambda: self.world.weights() == BACK, seconds=15)
        return self.world.weights() == BACK

    def _uid(self) -> str:
        return str(self.world.http_route()["metadata"]["uid"])


@contextmanager
def stand() -> Iterator[Stand]:
    """Start everything, begin the rollout, and stop everything after the block."""
    with (
        workplace(prefix="hostile") as place,
        api_server(place) as server,
        valkey(place) as store,
        strict_slack() as slack,
        closing(server.client()) as kube,
        closing(redis.Redis.from_url(store.url(), decode_responses=True)) as client,
    ):
        world = create_world(kube)
        slack.response_url(ALICE)
        with robot(kube, world.namespace):
            world.wait_observed()
            policy = place.folder / "policy.yaml"
            policy.write_text(json.dumps({"namespaces": [world.namespace], **POLICY}))
            environment = {
                "KUBECONFIG": str(server.kubeconfig()),
                "REDIS_URL": store.url(),
                "ROLLOUTBOT_CONFIG": str(policy),
                "ROLLOUTBOT_INSTALL": INSTALL,
                **slack.environment(),
            }
            bot = bot_process("bot", Path(place.folder), environment)
            bot.server.start()
            try:
                bot.server.wait_ready(bot.is_ready)
                wait_until("the bot's lead", bot.leads, seconds=20)
                made = Stand(bot, slack, world, client)
                made.begin()
                yield made
            finally:
                bot.server.kill()


def slowest(ask: Callable[[], bool]) -> float:
    """Return how many seconds one question took; it must have been answered."""
    began = time.monotonic()
    answered = ask()
    return time.monotonic() - began if answered else float("inf")
