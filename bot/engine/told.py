"""What people were told: a bounded memory, so that they do not hear the same thing again and again."""

from collections.abc import Hashable
from typing import Final

MOST: Final = 1000


class Told:
    """Remembers what was told; when it is full, it forgets everything."""

    def __init__(self) -> None:
        self._told: set[Hashable] = set()

    def knows(self, told: Hashable) -> bool:
        """Say whether this was told before."""
        return told in self._told

    def remember(self, told: Hashable) -> None:
        """Remember something; do it when it is saved, as it would not be told again."""
        if len(self._told) >= MOST:
            self._told.clear()
        self._told.add(told)
