"""Puts together what operations need: their records, and what decides people's requests."""

from dataclasses import dataclass

import redis

from bot.engine.ports import Clock
from bot.operations.registry import Registry
from bot.operations.requests import OperationRequests
from bot.store.epoch import Sight
from bot.store.operations import RedisOperations
from bot.store.store import PREFIX, RedisStore


@dataclass(frozen=True, slots=True)
class OperationParts:
    """Executors, records and requests, on the same store as the rollouts."""

    registry: Registry
    records: RedisOperations
    requests: OperationRequests


def operation_parts(
    client: "redis.Redis", store: RedisStore, sight: Sight, clock: Clock, registry: Registry
) -> OperationParts:
    """Build what begins, cancels and keeps operations; the leader's runner is made where it is known who leads."""
    records = RedisOperations(client, PREFIX, sight, lambda: store.changed())
    requests = OperationRequests(registry, records, clock, receive=store.receive, drop=store.drop)
    return OperationParts(registry, records, requests)
