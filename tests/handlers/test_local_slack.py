"""With the sandbox's Slack: Socket Mode, the acknowledgement, the card, a click and its private answer."""

import time
from collections.abc import Callable, Iterator

import pytest

from bot.domain.events import Event, EventKind
from handlers.app import Handlers, build, web_client
from handlers.board.board import Board
from handlers.board.rollout_topic import RolloutTopics
from handlers.socket import Socket
from sandbox.slack import APP_TOKEN, BOT_TOKEN, INFERENCE, Slack
from tests.builders import NOON
from tests.handlers.board.one_round import one_round
from tests.handlers.fakes import Done, FakeEngine, Hand, Memory
from tests.handlers.records import ANYBODY, NEW, a_rollout, an_entry
from tests.handlers.test_listeners import POLICY

ENTRY = an_entry(a_rollout(channel=INFERENCE))


class Bot:
    def __init__(self, slack: Slack) -> None:
        self.slack, self.engine, self.memory = slack, FakeEngine(known=[ENTRY], outcome=Done(ENTRY)), Memory()
        client = web_client(BOT_TOKEN, base_url=slack.api_url)
        self.handlers: Handlers = build(self.engine, self.memory.as_store(), Hand(), POLICY, client)
        self.board = Board(
            self.memory, RolloutTopics(self.memory.as_store(), self.memory, ANYBODY), self.handlers.slack
        )
        self.socket = Socket(self.handlers.app, APP_TOKEN)

    def close(self) -> None:
        self.socket.close()
        self.handlers.close()


@pytest.fixture
def bot(local_slack: Slack) -> Iterator[Bot]:
    local_slack.reset()
    bot = Bot(local_slack)
    bot.socket.connect()
    eventually(lambda: bot.socket.pong_age() is not None)
    yield bot
    bot.close()


def eventually(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 15
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_command_a_card_and_a_click(bot: Bot) -> None:
    bot.slack.command(f"start {NEW} 10")
    assert bot.engine.done.wait(10)
    assert bot.engine.received[0].command.verb == "start"

    bot.memory.put(ENTRY, Event(kind=EventKind.STEPPED, at=NOON, weight=25))
    one_round(bot.board, NOON)
    shown = bot.memory.shows[ENTRY.rollout.id]
    (card,) = [message for message in bot.slack.messages() if message["ts"] == shown.ts]
    assert card["blocks"][0]["block_id"] == "card:r-7f3a2c01:1.3"

    bot.engine.done.clear()
    value = '{"id":"r-7f3a2c01","turn":4}'
    bot.slack.press(shown.ts, "rollout_pause", value, block_id="card:r-7f3a2c01:1.3:do")
    assert bot.engine.done.wait(10)
    assert [request.command.verb for request in bot.engine.received] == ["start", "pause"]
    assert bot.engine.received[1].turn == 4


def test_the_board_finds_a_card_it_does_not_remember(bot: Bot) -> None:
    bot.memory.put(ENTRY)
    one_round(bot.board, NOON)
    posted = bot.memory.shows.pop(ENTRY.rollout.id)
    bot.memory.put(ENTRY)
    one_round(bot.board, NOON)
    assert bot.memory.shows[ENTRY.rollout.id].ts == posted.ts
