"""Asks whether to delete the old pool of a finished rollout, once it was kept for as long as the policy says."""

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from bot.domain.removal import CLEAN
from bot.domain.rollout import Entry, Phase, Rollout
from bot.operations.by_itself import ByItself

LOOK_EVERY: Final = timedelta(seconds=5)
FORGET_AFTER: Final = timedelta(hours=12)
"""A bot that was away for longer than this does not ask any more."""


class RemovalsWhenDue:
    """Looks which old pools were kept long enough. What `clean` then does is up to those who approve."""

    def __init__(self, by_itself: ByItself, tell: Callable[[Rollout, str], None]) -> None:
        """Keep the parts; ``tell`` tells the thread of a rollout, and the channel, of trouble."""
        self._by_itself, self._tell = by_itself, tell

    def look(self) -> None:
        """Begin to clean up after the rollouts whose time has come since the last look."""
        for entry in self._by_itself.entries():
            rollout = entry.rollout
            if rollout.kept_until and self._is_due(entry):
                delivery = f"clean-when-due-{rollout.id}-{rollout.kept_until.timestamp():.0f}"
                reason = "as its time has come"
                refusal = self._by_itself.begin(CLEAN, rollout, delivery, subject=rollout.id, reason=reason)
                if refusal:
                    self._tell(rollout, f"I could not ask whether to delete `{rollout.stable.name}`: {refusal}")

    def _is_due(self, entry: Entry) -> bool:
        until = entry.rollout.kept_until
        if until is None or entry.rollout.phase is not Phase.FINISHED or entry.is_followed or not entry.is_applied:
            return False
        return until <= self._by_itself.clock.now() < until + FORGET_AFTER
