"""Operations in Redis.

The keys have the same prefix as the rest, so that the board has one list of outdated cards:

    r:ID            hash    decision, operation (the record); mark belongs to the board
    events:ID       list    what happened
    operations      zset    ids of those that are not over, by start time
    operations:due  zset    when each has its next step
    operations:on   hash    which operation holds a subject or a slot
    last:SLOT       string  which operation held a slot last

If Redis loses data, it loses operations too: no route has a copy. People have to ask for a lost operation again; what
it had made stays, with the operation's id on it (bot/operations/executor.py). If Redis went back to an older state, an
operation goes on from there and repeats steps, which executors allow, until its deadline. Nothing goes on before the
store is declared whole.
"""

import json
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, cast

import redis

from bot.domain.errors import UnreadableError, lost_data
from bot.domain.operation import Operation, OperationEvent
from bot.engine.operation_encoding import event_json, operation_json, read_event, read_operation
from bot.engine.operation_ports import SaveOperation
from bot.engine.store_port import Saved
from bot.store.connection import store_errors
from bot.store.epoch import SeenWrites
from bot.store.keys import Prefix
from bot.store.rows import KEPT_SECONDS
from bot.store.scripts import script
from bot.store.times import epoch

CLAIM_AHEAD: Final = timedelta(seconds=3)
"""How late we may notice the deadline of an operation whose step hangs."""

MOST_CLAIMED: Final = 200


class RedisOperations:
    """The Operations port on one Redis; ``fell_behind`` is called after a card was marked as behind."""

    def __init__(
        self, client: "redis.Redis", prefix: Prefix, seen: SeenWrites, fell_behind: Callable[[], None]
    ) -> None:
        self._redis, self._prefix, self._seen, self._fell_behind = client, prefix, seen, fell_behind
        self._save, self._claim = script(client, "save_operation"), script(client, "claim_operations")

    def load(self, operation_id: str) -> Operation | None:
        """Return what is stored of an operation. Raises UnreadableError."""
        with store_errors():
            text = cast(str | None, self._redis.hget(f"{self._prefix()}r:{operation_id}", "operation"))
        return read_operation(text) if text else None

    def under_way(self) -> Sequence[Operation]:
        """Return the operations that are not over, newest first; without those of another version."""
        with store_errors():
            ids = cast(list[str], self._redis.zrevrange(f"{self._prefix()}operations", 0, -1))
        return [operation for operation in map(self._known, ids) if operation is not None]

    def on(self, held: str) -> str | None:
        """Return the id of the operation that holds a subject or a slot."""
        with store_errors():
            return cast(str | None, self._redis.hget(f"{self._prefix()}operations:on", held))

    def last(self, slot: str) -> Operation | None:
        """Return the operation that holds a slot, or held it last. Raises UnreadableError."""
        with store_errors():
            found = cast(str | None, self._redis.get(f"{self._prefix()}last:{slot}"))
        return self.load(found) if found else None

    def save(self, save: SaveOperation) -> Saved:
        """Compare and save one decision. Also raises StoreError while lost data is not restored yet."""
        arguments = json.dumps(_arguments(save))
        with store_errors():
            reply = self._save(keys=[self._prefix()], args=[arguments, *self._seen.expected()])
        said, *counted = cast(list[str], reply)
        if said == "forgetful":
            raise lost_data()
        if counted:
            self._seen.saw(counted)
        self._fell_behind()
        return Saved(said)

    def claim_due(self, now: datetime) -> Sequence[str]:
        """Return ids of operations to go on with, and push them ahead; none if data is missing."""
        args: list[str | int] = [epoch(now), epoch(now + CLAIM_AHEAD), MOST_CLAIMED, *self._seen.expected()]
        with store_errors():
            return cast(list[str], self._claim(keys=[self._prefix()], args=args))

    def events(self, operation_id: str, after: int) -> Sequence[OperationEvent]:
        """Return what happened to an operation after the first ``after`` events."""
        with store_errors():
            texts = self._redis.lrange(f"{self._prefix()}events:{operation_id}", after, -1)
        return [read_event(text) for text in cast(list[str], texts)]

    def _known(self, operation_id: str) -> Operation | None:
        try:
            return self.load(operation_id)
        except UnreadableError:
            return None


def _arguments(save: SaveOperation) -> dict[str, Any]:
    """Return what the script save_operation.lua wants."""
    to = save.change.after
    return {
        "id": to.id,
        "expected": save.expected or "",
        "decision": to.decision,
        "request": save.request or "",
        "record": operation_json(to),
        "holds": to.holds,
        "slot": to.slot,
        "started": epoch(to.started_at),
        "due": epoch(save.change.due) if save.change.due else "",
        "events": [event_json(event) for event in save.change.events],
        "over": to.is_over,
        "moved": to.since == to.decided_at,
        "kept": KEPT_SECONDS,
    }
