"""Begins a trial after each step of a rollout, where the policy says so: once, whoever leads, after a restart too."""

from datetime import timedelta
from typing import Final

from bot.domain.rollout import SLOTLESS, Entry
from bot.operations.by_itself import TAKEN, ByItself
from bot.operations.try_out import TRY

LOOK_EVERY: Final = timedelta(seconds=5)
FORGET_AFTER: Final = timedelta(hours=1)
"""A step that was accepted longer ago is not tried out any more: a bot that was away says nothing of the past."""


class TrialsAfterSteps:
    """Looks which rollouts have taken a step."""

    def __init__(self, by_itself: ByItself) -> None:
        self._by_itself = by_itself

    def look(self) -> None:
        """Begin the trials of steps that the gateway has taken since the last look, as far as anybody knows."""
        for entry in self._by_itself.entries():
            rollout = entry.rollout
            if self._has_stepped(entry):
                delivery = f"try-after-{rollout.id}-{rollout.step}"
                reason = f"after the step to {rollout.weight} %"
                self._by_itself.begin(TRY, rollout, delivery, subject=rollout.canary.name, reason=reason)

    def _has_stepped(self, entry: Entry) -> bool:
        rollout, applied = entry.rollout, entry.applied
        if applied is None or rollout.phase in SLOTLESS or entry.acceptance not in TAKEN:
            return False
        return rollout.step >= 0 and rollout.weight > 0 and self._by_itself.clock.now() - applied.at < FORGET_AFTER
