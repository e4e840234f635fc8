"""Begins what a gate waits for: a warm-up of servers that are cold, and a comparison of the pools' answers.

When that is over, the gates of a rollout that is held are asked at once.
"""

import hashlib
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final

from bot.domain.comparison import COMPARE
from bot.domain.comparison import slot_of as comparison_of
from bot.domain.errors import ClusterError, UnreadableError
from bot.domain.operation import Operation, OperationPhase
from bot.domain.rollout import SLOTLESS, Entry, Phase, Rollout
from bot.domain.warm_up import WARM
from bot.domain.warm_up import slot_of as warm_up_of
from bot.engine.operation_ports import Operations
from bot.engine.route_port import Routes
from bot.operations.by_itself import TAKEN, ByItself

log = logging.getLogger(__name__)

LOOK_EVERY: Final = timedelta(seconds=5)
AGAIN: Final = timedelta(minutes=1)
"""When what could not begin is tried again; the gate holds meanwhile."""
NEW: Final = 2 * LOOK_EVERY

AskAgain = Callable[[Entry], None]
"""Has the gates of a rollout asked at once."""

Tell = Callable[[Rollout, str], None]
"""Tells the thread of a rollout, and the channel, of trouble."""


class _Waited(ABC):
    """Looks at each rollout, whose gate waits for an operation."""

    def __init__(self, by_itself: ByItself, operations: Operations, ask_again: AskAgain, tell: Tell) -> None:
        self._by_itself, self._operations, self._ask_again, self._tell = by_itself, operations, ask_again, tell
        self._told_of = set[str]()

    def look(self) -> None:
        """Begin what is missing, and tell gates of what has ended. One rollout does not stop the others."""
        for entry in self._by_itself.entries():
            try:
                self._look_at(entry)
            except UnreadableError as error:
                log.info("rollout %s: what its gate waits for cannot be read: %s", entry.rollout.id, error)

    @abstractmethod
    def _look_at(self, entry: Entry) -> None:
        """Look at one rollout."""

    def _begin(self, kind: str, rollout: Rollout, delivery: str, reason: str) -> None:
        subject = rollout.canary.name
        refusal = self._by_itself.begin(kind, rollout, delivery, subject=subject, reason=reason, again=AGAIN)
        if refusal:
            self._tell(rollout, f"A gate waits for `{kind}`, which could not begin: {refusal}")

    def _follow(self, entry: Entry, last: Operation) -> None:
        """Ask the gates once if they hold the rollout and the operation has just ended."""
        is_new = last.is_over and self._by_itself.clock.now() - last.decided_at <= NEW
        if is_new and entry.rollout.phase is Phase.HOLDING and last.id not in self._told_of:
            self._told_of.add(last.id)
            self._ask_again(entry)


class WarmUps(_Waited):
    """Looks which rollouts have a new pool with servers that no warm-up has tried, and less than all the traffic."""

    def __init__(
        self, by_itself: ByItself, operations: Operations, routes: Routes, ask_again: AskAgain, tell: Tell
    ) -> None:
        super().__init__(by_itself, operations, ask_again, tell)
        self._routes = routes

    def _look_at(self, entry: Entry) -> None:
        rollout = entry.rollout
        if rollout.phase in (*SLOTLESS, Phase.PAUSED) or rollout.weight == 100:
            return
        ready, last = self._ready(entry), self._operations.last(warm_up_of(rollout.canary))
        if ready and (last is None or (last.is_over and self._is_old(last, ready, rollout))):
            servers = hashlib.sha256(" ".join(ready).encode()).hexdigest()[:12]
            reason = "before the first weight" if rollout.base < 0 else "as new model servers have come"
            self._begin(WARM, rollout, f"warm-{rollout.id}-{servers}", reason)
        elif last is not None:
            self._follow(entry, last)

    def _is_old(self, last: Operation, ready: Sequence[str], rollout: Rollout) -> bool:
        """Say whether a warm-up says nothing of some servers, or failed before the rollout began."""
        failed_before = last.phase is not OperationPhase.DONE and last.started_at < rollout.started_at
        return failed_before or not set(ready) <= set(last.state["ready"])

    def _ready(self, entry: Entry) -> Sequence[str]:
        try:
            return self._routes.members(entry.rollout.canary).ready
        except ClusterError:
            return ()  # the gate says why


class Comparisons(_Waited):
    """Looks which rollouts have got their first weight, or their mirror, and no comparison yet.

    Some gateways never say that they take a route: then the comparison begins too, and says what came of it.
    """

    def _look_at(self, entry: Entry) -> None:
        rollout = entry.rollout
        if not rollout.channel or rollout.step < 0 or rollout.phase in SLOTLESS or entry.acceptance not in TAKEN:
            return
        last = self._operations.last(comparison_of(rollout))
        if last is None:
            self._begin(COMPARE, rollout, f"compare-{rollout.id}", "the gate `quality` waits for votes")
        else:
            self._follow(entry, last)
