"""The bot's memory in Redis: its parts, joined as the engine and the board see them.

Every change is one script of lua/. Each part says which keys it has; all begin with the install's prefix (keys.py):
inbox.py, records.py, schedule.py, board.py, epoch.py, operations.py, and lease.py, which is no part of the store.
"""

from collections.abc import Callable
from dataclasses import dataclass

import redis

from bot.store.board import RedisBoard
from bot.store.epoch import ANY_EPOCH, RedisEpoch, SeenWrites
from bot.store.inbox import RedisInbox
from bot.store.keys import Prefix
from bot.store.operations import RedisOperations
from bot.store.records import RedisRecords
from bot.store.schedule import RedisSchedule


class RedisStore:
    """The Store, BoardMemory and DueTimes ports: each method belongs to a part."""

    def __init__(
        self, inbox: RedisInbox, records: RedisRecords, schedule: RedisSchedule, board: RedisBoard, epoch: RedisEpoch
    ) -> None:
        self.receive, self.requests, self.drop, self.became = inbox.receive, inbox.requests, inbox.drop, inbox.became

        self.load, self.load_all, self.entries = records.load, records.load_all, records.entries
        self.named, self.in_channel = records.named, records.in_channel
        self.slot, self.latest = records.slot, records.latest
        self.save, self.applied, self.learn = records.save, records.applied, records.learn

        self.unapplied, self.retry_at, self.claim_due = schedule.unapplied, schedule.retry_at, schedule.claim_due
        self.next_due, self.forget_due, self.set_aside = schedule.next_due, schedule.forget_due, schedule.set_aside

        self.dirty, self.clean = board.dirty, board.clean
        self.shown, self.show, self.events, self.doubt = board.shown, board.show, board.events, board.doubt

        self.is_whole, self.declare_whole = epoch.is_whole, epoch.declare_whole


@dataclass(frozen=True, slots=True)
class Memory:
    """One install's memory, twice on the same keys: ``store`` saves no decision while data is missing, and
    ``for_rebuild``, for what takes that data up again, does. ``operations`` has the records of operations.
    """

    store: RedisStore
    for_rebuild: RedisStore
    operations: RedisOperations


def open_memory(client: "redis.Redis", prefix: Prefix, *, fell_behind: Callable[[], None] = lambda: None) -> Memory:
    """Put the parts together; nothing is sent. ``fell_behind`` is called after a card was marked as behind."""
    seen = SeenWrites()
    inbox, schedule = RedisInbox(client, prefix), RedisSchedule(client, prefix, seen)
    board, epoch = RedisBoard(client, prefix, seen), RedisEpoch(client, prefix, seen)
    records, rebuilt = (
        RedisRecords(client, prefix, seen, expected, fell_behind) for expected in (seen.expected, lambda: ANY_EPOCH)
    )
    return Memory(
        store=RedisStore(inbox, records, schedule, board, epoch),
        for_rebuild=RedisStore(inbox, rebuilt, schedule, board, epoch),
        operations=RedisOperations(client, prefix, seen, fell_behind),
    )
