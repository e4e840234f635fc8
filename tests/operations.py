"""Operations for tests: say only what the test is about."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import redis

from bot.domain.operation import Operation, OperationPhase
from bot.store.connection import connect
from bot.store.operations import RedisOperations
from bot.store.store import RedisStore, open_memory
from tests.builders import ALICE, NOON
from tests.memory import prefix

RUNNING = Operation(
    id="o-7f3a2c01",
    kind="copy",
    subject="models",
    parameters={"count": "3"},
    reason="",
    channel="C0INFER001",
    started_by=ALICE,
    started_at=NOON,
    phase=OperationPhase.RUNNING,
    since=NOON,
    deadline=NOON + timedelta(minutes=30),
    state={"next": 1},
    revision=2,
    decision="d2",
    decided_at=NOON,
    turn=1,
)
"""Takes its first step."""


def an_operation(**changes: Any) -> Operation:
    """Return an operation that is running, but for the changes."""
    return replace(RUNNING, **changes)


@dataclass(frozen=True)
class OperationStore:
    """The records of operations, and the rest of the same store."""

    client: "redis.Redis"
    inbox: RedisStore
    operations: RedisOperations


def an_operation_store(redis_url: str, *, fell_behind: Callable[[], None] = lambda: None) -> OperationStore:
    """Return a store whose parts have seen the same of Redis."""
    client = connect(redis_url)
    memory = open_memory(client, prefix, fell_behind=fell_behind)
    return OperationStore(client, memory.store, memory.operations)
