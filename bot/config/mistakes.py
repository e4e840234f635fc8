"""Mistakes in the configuration, as sentences."""

from collections.abc import Sequence

from bot.domain.errors import RolloutBotError

Place = tuple[int | str, ...]
"""The keys, and places in lists, that lead to a value."""


class ConfigError(RolloutBotError):
    """Mistakes in the environment or the policy file; ``mistakes`` has one sentence for each."""

    def __init__(self, mistakes: Sequence[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = tuple(mistakes)
