"""Operations on the board of the rollouts: one card each, found again after an unclear post, or when Redis forgot."""

import pytest
import redis

from bot.domain.operation import Operation, OperationChange, OperationEvent, OperationEventKind, OperationPhase
from bot.domain.rollout import Change
from bot.engine.operation_ports import SaveOperation
from bot.engine.store_port import Save
from handlers.app import web_client
from handlers.board.board import Board
from handlers.board.operation_topic import OperationTopics
from handlers.board.rollout_topic import RolloutTopics
from handlers.board.topic import EveryTopic
from handlers.slack import Slack
from sandbox.slack import BOT_TOKEN
from sandbox.strict_slack import StrictSlack
from tests.builders import ALICE, NOON, a_rollout
from tests.handlers.board.one_round import one_round
from tests.handlers.fakes import Hand
from tests.handlers.records import ANYBODY
from tests.operations import RUNNING, an_operation, an_operation_store

BEGUN = OperationEvent(kind=OperationEventKind.BEGUN, at=NOON, by=ALICE)
COPIED = OperationEvent(kind=OperationEventKind.PROGRESSED, at=NOON, said="Copied 1.")
DONE = OperationEvent(kind=OperationEventKind.DONE, at=NOON, said="All are there.")
ENDED = an_operation(phase=OperationPhase.DONE, decision="d3", revision=3, turn=2)


class Room:
    """A real store, a board of both kinds, and the Slack it writes to."""

    def __init__(self, slack: StrictSlack, redis_url: str) -> None:
        self.slack, self.clock, self.store = slack, Hand(), an_operation_store(redis_url)
        slack.now = lambda: self.clock.now().timestamp()
        client, inbox = web_client(BOT_TOKEN, base_url=slack.api_url), self.store.inbox
        topics = EveryTopic([RolloutTopics(inbox, inbox, ANYBODY), OperationTopics(self.store.operations)])
        self.board = Board(inbox, topics, Slack(client))

    def save(self, operation: Operation, event: OperationEvent, expected: str | None = None) -> None:
        change = OperationChange(after=operation, events=(event,))
        self.store.operations.save(SaveOperation(change=change, expected=expected))

    def settle(self) -> None:
        """Let the board come to rest."""
        for _ in range(60):
            one_round(self.board, self.clock.forward(seconds=15))
            if not self.store.inbox.dirty(10):
                return
        raise AssertionError("a card is still behind")

    def marks(self) -> list[str]:
        """Return how every message is marked, the channel's own and the threads'."""
        return [message["blocks"][0]["block_id"] for message in self.slack.messages]


@pytest.fixture
def room(slack: StrictSlack, redis_url: str) -> Room:
    return Room(slack, redis_url)


def test_an_operation_has_one_card_and_a_thread_and_the_channel_hears_the_end(room: Room) -> None:
    room.save(RUNNING, BEGUN)
    room.settle()
    room.save(ENDED, DONE, "d2")
    room.settle()
    assert room.marks() == ["card:o-7f3a2c01:1.3", "event:o-7f3a2c01:1-1", "event:o-7f3a2c01:2-2"]
    (card,) = room.slack.cards()
    assert (card["edits"], card["text"].startswith("copy models: done.")) == (1, True)
    assert [reply["broadcast"] for reply in room.slack.thread(card["ts"])] == [False, True]


def test_rollouts_and_operations_share_the_channel(room: Room) -> None:
    rollout = a_rollout()
    room.store.inbox.save(Save(change=Change(after=rollout, events=()), expected=None))
    room.save(RUNNING, BEGUN)
    room.settle()
    assert sorted(room.marks()) == ["card:o-7f3a2c01:1.2", f"card:{rollout.id}:1.2", "event:o-7f3a2c01:1-1"]


@pytest.mark.parametrize("kind", ["429", "500", "500 after", "lost"])
def test_a_post_that_fails_becomes_one_card_and_one_message(room: Room, kind: str) -> None:
    room.slack.faults.next("chat.postMessage", kind)
    room.save(RUNNING, BEGUN)
    room.settle()
    room.slack.faults.next("chat.postMessage", kind)
    room.save(ENDED, DONE, "d2")
    room.settle()
    (card,) = room.slack.cards()
    marks = [reply["blocks"][0]["block_id"] for reply in room.slack.thread(card["ts"])]
    assert marks == ["event:o-7f3a2c01:1-1", "event:o-7f3a2c01:2-2"]


def test_an_older_redis_posts_no_second_card_and_tells_no_event_twice(room: Room, redis_url: str) -> None:
    room.save(RUNNING, BEGUN)
    room.settle()
    with redis.Redis.from_url(redis_url) as client:
        kept = {key: client.dump(key) for key in client.scan_iter()}
        room.save(an_operation(decision="lost", revision=3), COPIED, "d2")
        room.settle()
        client.flushdb()
        for key, value in kept.items():
            client.restore(key, 0, value)
    assert room.store.inbox.dirty(10) == {}
    room.store.inbox.doubt()
    room.store.inbox.declare_whole(room.clock.now())
    room.save(ENDED, DONE, "d2")
    room.settle()
    assert room.marks() == ["card:o-7f3a2c01:1.3", *(f"event:o-7f3a2c01:{place}-{place}" for place in (1, 2, 3))]
