"""Puts together the parts for operations: their records, and what decides people's requests."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from bot.domain.events import Event, EventKind
from bot.domain.rollout import SLOTLESS, Rollout
from bot.engine.ports import Clock
from bot.engine.store_port import Progress
from bot.operations.by_itself import ByItself
from bot.operations.executor import Tools
from bot.operations.registry import Registry
from bot.operations.requests import OperationRequests
from bot.operations.runner import Runner
from bot.store.operations import RedisOperations
from bot.store.store import Memory, RedisStore

TRIES: Final = 5
"""A rollout may move on while something is told of it; so often in a row it does not."""


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


def tell_trouble(store: RedisStore, clock: Clock, rollout: Rollout, why: str) -> None:
    """Tell people of a rollout that something about it needs a person; not if it has come to an end since."""
    for _ in range(TRIES):
        entry = store.load(rollout.id)
        if entry is None or (entry.rollout.phase is not rollout.phase and entry.rollout.phase in SLOTLESS):
            return
        told = Event(kind=EventKind.TROUBLE, at=clock.now(), weight=entry.rollout.weight, reason=why)
        if store.learn(rollout.id, entry.rollout.decision, Progress(events=(told,))):
            return


def operation_parts(memory: Memory, tools: Tools, registry: Registry) -> OperationParts:
    """Build what begins, cancels and keeps operations."""
    requests = OperationRequests(
        registry, memory.operations, tools, receive=memory.store.receive, drop=memory.store.drop
    )
    return OperationParts(registry, tools, memory.operations, requests)
