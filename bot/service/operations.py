"""Puts together the parts for operations: their records, and what decides people's requests."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from bot.operations.by_itself import ByItself
from bot.operations.executor import Tools
from bot.operations.registry import Registry
from bot.operations.requests import OperationRequests
from bot.operations.runner import Runner
from bot.store.operations import RedisOperations
from bot.store.store import Memory, RedisStore


@dataclass(frozen=True, slots=True)
class OperationParts:
    """Records and requests, on the same store as the rollouts, and what executors may use."""

    registry: Registry
    tools: Tools
    records: RedisOperations
    requests: OperationRequests

    def runner(self, leads: Callable[[], bool]) -> Runner:
        """Build what runs operations while this process ``leads``."""
        return Runner(self.registry, self.records, replace(self.tools, goes_on=leads))

    def by_itself(self, store: RedisStore) -> ByItself:
        """Build what begins operations that nobody has typed, for the rollouts in a store."""
        decide, clock = self.requests.decide, self.tools.clock
        return ByItself(store.entries, decide, clock, receive=store.receive, drop=store.drop)


def operation_parts(memory: Memory, tools: Tools, registry: Registry) -> OperationParts:
    """Build what begins, cancels and keeps operations."""
    requests = OperationRequests(
        registry, memory.operations, tools, receive=memory.store.receive, drop=memory.store.drop
    )
    return OperationParts(registry, tools, memory.operations, requests)
