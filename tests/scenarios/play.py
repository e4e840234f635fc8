"""A play on the whole chain: people at local-slack, bot processes, a real Valkey, a real API server and its robot."""

import re
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import urllib3
import yaml

from sandbox.apiserver import ApiServer
from sandbox.bot_process import NOTE_KEY, is_ready
from sandbox.errors import SandboxError
from sandbox.folders import CHECKOUT
from sandbox.process import Server, free_ports, wait_until
from sandbox.slack import APP_TOKEN, BOT_TOKEN, SIGNING_SECRET, Slack
from sandbox.valkey import INSTALL
from sandbox.world import World
from tests.builders import ALICE, BOB, CANARY
from tests.memory import a_store

PLAN = {"steps": [10, 25, 50, 100], "every": "1s", "bake": "2s"}
APPROVALS = {"at": [50], "needed": 1}
_FRAME = re.compile(rf"^(<!date\^\d+\^\{{time\}}\|[^>]*>  )?(`{CANARY}`: )?|( It waits for .*| <@\w+> started it\.)$")
"""What stands around an event: its time, and where the channel reads it the pool and whom it concerns."""


@dataclass
class Bot:
    """One bot process."""

    server: Server
    address: str
    probes: str

    def start(self) -> "Bot":
        """Start it and wait until it is ready."""
        self.server.start()
        self.server.wait_ready(lambda: is_ready(self.probes))
        return self

    def log(self) -> str:
        """Return everything it has written."""
        return self.server.log.read_text()

    def wait_log(self, words: str) -> None:
        """Wait until it has written some words."""
        wait_until(words, lambda: words in self.log(), seconds=10)

    def records(self) -> list[str]:
        """Return what it has written, a text for each record; a traceback belongs to the record before it."""
        return re.split(r"\n(?=\d{4}-\d\d-\d\dT)", self.log())

    def leads(self) -> bool:
        """Say whether it is the leader; one that does not answer at once is not known to be."""
        with suppress(urllib3.exceptions.HTTPError):
            answer = urllib3.request("GET", f"http://{self.probes}/metrics", timeout=2, retries=False)
            return b"rolloutbot_leader 1.0" in answer.data
        return False


def bot_process(name: str, folder: Path, environment: Mapping[str, str], *, address: str = "") -> Bot:
    """Return a bot with an environment that is not started."""
    free, probes = (f"127.0.0.1:{port}" for port in free_ports(2))
    listens = {"ROLLOUTBOT_HTTP": address or free, "ROLLOUTBOT_PROBES": probes}
    given = {"ROLLOUTBOT_INSTALL": INSTALL, "ROLLOUTBOT_NOTE_KEYS": NOTE_KEY, **environment}
    env = {"PYTHONPATH": str(CHECKOUT), **listens, **given}
    return Bot(Server(name, [sys.executable, "-m", "bot", "run"], folder, env), address or free, probes)


@dataclass
class Play:
    """What people do and see; every wait has a deadline."""

    slack: Slack
    world: World
    api_server: ApiServer
    redis_url: str
    folder: Path
    bots: list[Bot] = field(default_factory=list)
    environment: Mapping[str, str] = field(default_factory=dict)
    """What the bots have in their environments besides."""
    foreseen: str = "nothing"
    """The error that this play is about: bots may log it with its traceback."""

    # --- bots

    def bot(self, *, address: str = "", mode: str = "socket", **policy: Any) -> Bot:
        """Start another bot."""
        bot = self.cast(address=address, mode=mode, **policy)
        return bot.start()

    def cast(self, *, address: str = "", mode: str = "socket", install: str = INSTALL, **policy: Any) -> Bot:
        """Return another bot that is not started; ``install`` empty: nobody names it."""
        name = f"bot-{len(self.bots)}"
        file = self.folder / f"{name}.yaml"
        file.write_text(
            yaml.safe_dump({"namespaces": [self.world.namespace], "plan": PLAN, "approvals": APPROVALS, **policy})
        )
        env = {
            "KUBECONFIG": str(self.api_server.kubeconfig("rolloutbot")),
            "REDIS_URL": self.redis_url,
            "SLACK_API_URL": self.slack.api_url,
            "SLACK_BOT_TOKEN": BOT_TOKEN,
            "ROLLOUTBOT_CONFIG": str(file),
            "ROLLOUTBOT_INSTALL": install,
            **self.environment,
            **({"SLACK_APP_TOKEN": APP_TOKEN} if mode == "socket" else {"SLACK_SIGNING_SECRET": SIGNING_SECRET}),
        }
        bot = bot_process(name, self.folder, env, address=address)
        self.bots.append(bot)
        return bot

    # --- what people do

    def say(self, text: str, user: str = BOB) -> None:
        """Type a command."""
        self.read()
        self.slack.command(text, user=user)

    def start(self, words: str = f"{CANARY} 10") -> None:
        """Alice starts a rollout."""
        self.say(f"start {words}", ALICE)

    def press(self, verb: str, user: str = BOB) -> None:
        """Press the button of the card as soon as it is there."""
        self.offers(verb)
        self.read()
        button = self._button(verb)
        assert button is not None
        block_id, element = button
        self.slack.press(self.card()["ts"], element["action_id"], element["value"], block_id=block_id, user=user)

    def dialog(self) -> str:
        """Wait for a dialog and return its title."""
        wait_until("a dialog", lambda: bool(self.slack.dialogs()), seconds=15)
        return str(self.slack.dialogs()[-1]["title"]["text"])

    def submit(self, reason: str, user: str = BOB) -> None:
        """Fill in the dialog and submit it."""
        self.slack.submit({"reason": {"reason": {"type": "plain_text_input", "value": reason}}}, user=user)

    def read(self) -> None:
        """Take as long as it takes to read a card: what it says is on the route by then, and the bot knows it."""
        store = a_store(self.redis_url)
        self.until("the route as decided", lambda: all(entry.is_applied for entry in store.entries()))

    def _button(self, verb: str) -> tuple[str, dict[str, Any]] | None:
        found = [
            (block["block_id"], element)
            for card in self.cards()
            for block in card["blocks"]
            for element in block.get("elements", [])
            if element.get("action_id") == f"rollout_{verb}"
        ]
        return found[-1] if found else None

    # --- what people see

    def cards(self) -> list[dict[str, Any]]:
        """Return the cards in the channel."""
        return [one for one in self.slack.messages() if _mark(one).startswith("card:")]

    def card(self) -> dict[str, Any]:
        """Return the only card."""
        (card,) = self.cards()
        return card

    def title(self) -> str:
        """Return what stands behind the pool's name in the card's title; empty while there is no card."""
        titles = [str(card["blocks"][0]["text"]["text"]).split("  ·  ")[1] for card in self.cards()]
        return titles[-1] if titles else ""

    def thread(self) -> list[str]:
        """Return every line of the card's thread."""
        return [line for lines in self.notes() for line in lines]

    def notes(self) -> list[list[str]]:
        """Return the messages of the card's thread, a line for each event, without times.

        Asserts that no event is told twice.
        """
        told = [one for one in self.slack.messages() if one.get("thread_ts") == self.card()["ts"]]
        spans = [_mark(one).rsplit(":", 1)[1].split("-") for one in told]
        places = [place for first, last in spans for place in range(int(first), int(last) + 1)]
        assert places == list(range(1, len(places) + 1))
        texts = ["\n".join(block["text"]["text"] for block in one["blocks"]) for one in told]
        return [[_FRAME.sub("", line) for line in text.split("\n")] for text in texts]

    def private(self) -> list[str]:
        """Return what only one person was told, but the receipts of commands and the links to cards."""
        said = [str(one["text"]) for one in self.slack.messages() if not one.get("blocks")]
        return [text for text in said if not text.startswith(("Got it: ", "See <http"))]

    # --- waiting

    def see(self, title: str, *, seconds: float = 20) -> None:
        """Wait until the card's title says so."""
        self.until(f"a card with {title!r}", lambda: self.title() == title, seconds=seconds)

    def offers(self, verb: str) -> None:
        """Wait until the card has a button; those of a further step come with the gateway's word."""
        self.until(f"button {verb}", lambda: self._button(verb) is not None)

    def told(self, sentence: str, *, seconds: float = 20) -> None:
        """Wait until a private sentence was said."""
        self.until(repr(sentence), lambda: sentence in self.private(), seconds=seconds)

    def hears(self, line: str) -> None:
        """Wait until the thread's last message tells it."""
        self.until(line, lambda: line in (self.notes() or [[]])[-1])

    def shows(self, words: str) -> None:
        """Wait until the card says so, at any place."""
        self.until(words, lambda: words in str(self.card()))

    def posts(self, words: str) -> None:
        """Wait until a message in the channel or in a thread says so."""
        self.until(words, lambda: words in str([one.get("blocks") for one in self.slack.messages()]))

    def tells(self, *lines: str) -> None:
        """Wait until the thread tells exactly this, in this order."""
        wait_until("the whole thread", lambda: len(self.thread()) >= len(lines), seconds=15)
        assert self.thread() == list(lines), self.thread()

    def until(self, what: str, happened: Callable[[], bool], *, seconds: float = 20) -> None:
        """Wait for anything."""
        try:
            wait_until(what, happened, seconds=seconds)
        except SandboxError as error:
            logs = "\n".join(bot.log()[-2000:] for bot in self.bots)
            raise AssertionError(f"{error}\ncard: {self.title()}\nprivate: {self.private()}\n{logs}") from None

    # --- the route

    def spec(self) -> dict[str, Any]:
        """Return the route's spec."""
        spec: dict[str, Any] = self.world.http_route()["spec"]
        return spec

    def changes(self) -> int:
        """Return how often the route's spec was changed since it was made."""
        return int(self.world.http_route()["metadata"]["generation"]) - 1

    # --- the end

    def leader(self) -> Bot:
        """Wait for a leader and return it."""
        wait_until("a leader", lambda: any(map(Bot.leads, self.alive())), seconds=15)
        (leader,) = filter(Bot.leads, self.alive())
        return leader

    def alive(self) -> list[Bot]:
        """Return the bots that run."""
        return [bot for bot in self.bots if bot.server.alive()]

    def close(self) -> None:
        """End what still runs; none of it may have failed in a way that nobody foresaw."""
        for bot in self.bots:
            bot.server.kill()
        broken = [record for bot in self.bots for record in bot.records() if "Traceback" in record]
        assert [record for record in broken if self.foreseen not in record] == []


def ended(bot: Bot, *, seconds: float) -> int:
    """Send SIGTERM and return the exit status."""
    bot.server.signal(signal.SIGTERM)
    return bot.server.ended(seconds=seconds)


def _mark(message: dict[str, Any]) -> str:
    blocks = message.get("blocks") or [{}]
    return str(blocks[0].get("block_id", ""))
