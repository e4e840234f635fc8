"""A board, its memory, and the Slack it writes to."""

from collections.abc import Callable

from bot.domain.rollout import Entry
from bot.ports import Shown
from handlers.app import web_client
from handlers.board import Board
from handlers.slack import Slack
from tests.builders import NOON
from tests.handlers.fakes import Hand, Memory
from tests.handlers.records import ANYBODY, ROOM, a_rollout, an_entry
from tests.handlers.slack_server import SlackServer


class World:
    """A board, its memory, and the Slack it writes to."""

    def __init__(self, slack: SlackServer) -> None:
        self.slack, self.memory, self.clock = slack, Memory(), Hand()
        slack.now = NOON.timestamp()
        self.restart()

    def restart(self) -> None:
        client = web_client("xoxb-test", base_url=f"{self.slack.url}/api/")
        self.board = Board(self.memory, self.memory.as_store(), Slack(client), ANYBODY)

    def round(self, **later: float) -> None:
        self.board.reconcile(self.clock.forward(**later))

    def during(self, method: str, happens: Callable[[], None]) -> None:
        """Let something happen in the middle of one call, after its effect."""
        self.slack.meanwhile[method] = happens

    @property
    def shown(self) -> Shown:
        return self.memory.shows["r-7f3a2c01"]


def entry_of(rollout_id: str, channel: str = ROOM) -> Entry:
    return an_entry(a_rollout(id=rollout_id, channel=channel, started_at=NOON))
