"""What 2,000 cards cost that Slack does not take, and who is shown first.

The rollouts are on 2,000 routes, and their cards belong into one channel. Nothing else is due. First Slack answers
every call with 429 and "in a second"; a share is the CPU time of the bot's process as a part of one core, and the
floor is the same bot with nothing behind. Then Slack takes what its limits allow, which is a message a second in a
channel. People start and roll back some rollouts meanwhile; a wait is from the command to the card that shows it, and
its floor is the wait with nothing behind.
"""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import redis

from bench.figures import MISSED, Finding, Row
from bench.population import ALICE, CHANNEL, Population, add_routes, populate
from bench.servers import PREFIX, Servers
from bench.whole_bot import cpu, whole_bot
from bot.domain.decisions.start import rollout_id
from bot.store.connection import connect
from sandbox.bot_process import BotProcess
from sandbox.process import wait_until
from sandbox.robot import robot
from sandbox.strict_slack import StrictSlack, strict_slack
from sandbox.world import CANARY

ROLLOUTS, ACTIONS = 2000, 5
SETTLED, WINDOW, WINDOWS = 30.0, 10.0, 3
POLICY = {"plan": {"steps": [10, 100], "every": "1h", "bake": "1h"}, "approvals": {"at": []}}
LOW = 0.2
DIRTY, ASIDE = f"{PREFIX}dirty", f"{PREFIX}aside"


@dataclass(frozen=True)
class Backlog:
    """A bot, its Slack, and the cards that are behind."""

    bot: BotProcess
    slack: StrictSlack
    client: "redis.Redis"
    people: Population

    @contextmanager
    def nothing_behind(self) -> Iterator[None]:
        """Hide the list of cards that are behind during the block."""
        self.client.rename(DIRTY, ASIDE)
        yield
        self.client.zunionstore(DIRTY, [DIRTY, ASIDE], aggregate="MIN")

    def shares(self) -> list[float]:
        """Let the bot look at every rollout, and return its share of a core in each of some windows of time."""
        time.sleep(SETTLED)
        shares = []
        for _ in range(WINDOWS):
            begun, used = time.monotonic(), cpu(self.bot.server)
            time.sleep(WINDOW)
            shares.append((cpu(self.bot.server) - used) / (time.monotonic() - begun))
        return shares

    def starts(self, names: Sequence[str]) -> list[float]:
        """Start rollouts one after the other, and return how long each took to have a card."""
        return [self._start(name) for name in names]

    def _start(self, route: str) -> float:
        typed, begun = self._say(f"start {CANARY} 10 route={route}")
        return _until(begun, lambda: self._card(rollout_id(typed)) != "")

    def roll_backs(self, ids: Sequence[str]) -> list[float]:
        """Roll back rollouts one after the other, and return how long each took to be seen on its card."""
        return [self._roll_back(each) for each in ids]

    def _roll_back(self, rollout: str) -> float:
        _, begun = self._say(f"rollback {rollout}")
        return _until(begun, lambda: "olled back" in self._card(rollout))

    def shown(self) -> list[str]:
        """Return the rollouts of the crowd that have a card."""
        return [each for each in self.people.ids if self._card(each)]

    def _say(self, text: str) -> tuple[str, float]:
        typed, begun = self.slack.command(text, user=ALICE, channel=CHANNEL), time.monotonic()
        self.slack.send(typed, self.bot.url)
        return typed.trigger, begun

    def _card(self, rollout: str) -> str:
        """Return what a rollout's card says, empty if there is none."""
        start = f"card:{rollout}:"
        found = [card for card in self.slack.cards(CHANNEL) if card["blocks"][0]["block_id"].startswith(start)]
        return str(found[0]["text"]) if found else ""


def measure(servers: Servers) -> Finding:
    people = populate(servers, "backlog", ROLLOUTS)
    more = add_routes(people.world, 2 * ACTIONS, prefix="more")
    with strict_slack() as slack, connect(people.redis_url) as client, robot(servers.kube, people.world.namespace):
        environment = {
            "KUBECONFIG": str(servers.api_server.kubeconfig()),
            "REDIS_URL": people.redis_url,
            **slack.environment(),
        }
        slow = slack.faults.begin("429", retry_after=1)
        with whole_bot(environment, {"namespaces": [people.world.namespace], **POLICY}) as bot:
            here = Backlog(bot, slack, client, people)
            busy = here.shares()
            with here.nothing_behind():
                calm = here.shares()
                slack.faults.lift(slow)
                start_floor = here.starts(more[:ACTIONS])
            wait_until("cards", lambda: len(here.shown()) >= 2 * ACTIONS, seconds=60)
            with here.nothing_behind():
                back_floor = here.roll_backs(here.shown()[:ACTIONS])
            starts = here.starts(more[ACTIONS:])
            backs = here.roll_backs(here.shown()[ACTIONS : 2 * ACTIONS])
            behind = client.zcard(DIRTY)
    rows = [
        Row(
            what=f"share of a core, {ROLLOUTS} cards behind / none",
            floor=f"{statistics.mean(calm):.1%}",
            ours=f"{statistics.mean(busy):.1%}",
            ratios=[each / statistics.mean(calm) for each in busy],
            goal=f"< {LOW:.0%}" + ("" if statistics.mean(busy) < LOW else MISSED),
        ),
        _waits("a new card", start_floor, starts),
        _waits("a roll back's card", back_floor, backs),
    ]
    return Finding(title="Cards behind", about=__doc__ or "", rows=rows, notes=[f"{behind} cards behind at the end"])


def _waits(what: str, floor: Sequence[float], ours: Sequence[float]) -> Row:
    return Row(
        what=f"{what}, p50",
        floor=f"{statistics.median(floor):.2f} s",
        ours=f"{statistics.median(ours):.2f} s (longest {max(ours):.2f} s)",
        ratios=[statistics.median(ours) / statistics.median(floor)],
        goal="",
    )


def _until(begun: float, is_shown: Callable[[], bool]) -> float:
    wait_until("a card", is_shown, seconds=120, pause=0.02)
    return time.monotonic() - begun
