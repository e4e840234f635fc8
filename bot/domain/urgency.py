"""How soon people have to see what became of a rollout, where Slack takes fewer messages than there are."""

from enum import IntEnum

from bot.domain.rollout import TAKEN_BACK, Phase, Rollout

ASKS = frozenset({Phase.AWAITING_APPROVAL, Phase.PAUSED})
"""Phases in which a person has to act."""


class Urgency(IntEnum):
    """The most urgent first. Of the first two the newest goes first, of the others the oldest."""

    NEEDED = 0  # traffic goes back, or a person has to act
    STARTED = 1  # the card is new
    MOVED = 2
    PROGRESS = 3  # the same decision, and more is known of it


def urgency_of(rollout: Rollout) -> Urgency:
    """Return how urgent a new decision is."""
    if rollout.phase in TAKEN_BACK | ASKS:
        return Urgency.NEEDED
    return Urgency.STARTED if rollout.phase is Phase.STARTING else Urgency.MOVED


def is_awaited(rollout: Rollout) -> bool:
    """Say whether somebody waits to see it."""
    return urgency_of(rollout) <= Urgency.STARTED
