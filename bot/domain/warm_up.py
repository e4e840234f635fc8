"""Warm-ups: prompts to the new pool alone, until its time to the first token no longer falls. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bot.domain.rollout import Pool

WARM: Final = "warm"
"""What people type for it."""

ROUNDS: Final = 3
"""So many rounds are sent at least."""

NOISE: Final = 5
"""Milliseconds. A difference below says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmUpRules:
    """What the policy says of warm-ups. ``most``: so many prompts are sent at most.

    ``flat``: the time to the first token is flat if the last two rounds are slower than the fastest quarter of all by
    no more than so many percent.
    """

    prompt: str = "Answer in one word: what is the capital of France?"
    most: int = 400
    flat: int = 25


def is_flat(rounds: Sequence[int], rules: WarmUpRules) -> bool:
    """Say whether the time to the first token (milliseconds, one value a round) has stopped falling."""
    if len(rounds) < ROUNDS:
        return False
    *_, before, last = rounds
    slowest = max(before, last)
    fastest = sorted(rounds)[len(rounds) // 4]  # of many rounds one is fast by chance
    return slowest - fastest <= NOISE or slowest <= fastest * (1 + rules.flat / 100)


def slot_of(pool: Pool) -> str:
    """Return where the last warm-up of a pool is found."""
    return f"warm:{pool.namespace}/{pool.name}"
