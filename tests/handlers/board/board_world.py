"""A board, its memory, and the Slack it writes to."""

from collections.abc import Callable

from bot.domain.rollout import Entry
from bot.engine.store_port import Shown
from handlers.app import web_client
from handlers.board.bell import Bell
from handlers.board.board import Board
from handlers.board.rollout_topic import RolloutTopics
from handlers.slack import Slack
from sandbox.slack import BOT_TOKEN
from sandbox.strict_slack import StrictSlack
from tests.builders import NOON
from tests.handlers.board.one_round import one_round
from tests.handlers.fakes import Hand, Memory
from tests.handlers.records import ANYBODY, ROOM, a_rollout, an_entry


class World:
    """A board, its memory, and the Slack it writes to."""

    def __init__(self, slack: StrictSlack) -> None:
        self.slack, self.memory, self.clock = slack, Memory(), Hand()
        slack.now = lambda: self.clock.now().timestamp()
        self.bell = Bell()
        self.restart()

    def restart(self) -> None:
        client = web_client(BOT_TOKEN, base_url=self.slack.api_url)
        self.board = Board(self.memory, RolloutTopics(self.memory.as_store(), self.memory, ANYBODY), Slack(client))

    def round(self, **later: float) -> None:
        one_round(self.board, self.clock.forward(**later))

    def during(self, method: str, happens: Callable[[], None]) -> None:
        """Let something happen in the middle of one call, after its effect."""
        self.slack.meanwhile[method] = happens

    @property
    def shown(self) -> Shown:
        return self.memory.shows["r-7f3a2c01"]


def entry_of(rollout_id: str, channel: str = ROOM) -> Entry:
    return an_entry(a_rollout(id=rollout_id, channel=channel, started_at=NOON))
