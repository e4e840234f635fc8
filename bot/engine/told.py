"""What people were told: a bounded memory, so that they do not hear the same thing again and again."""

from collections.abc import Hashable
from typing import Final

MOST: Final = 1000


class Told:
    """Remembers the last things that were told; if it is full, it starts anew."""

    def __init__(self) -> None:
        self._told: set[Hashable] = set()

    def is_news(self, told: Hashable) -> bool:
        """Say whether this was not told before, and remember it."""
        if told in self._told:
            return False
        if len(self._told) >= MOST:
            self._told.clear()
        self._told.add(told)
        return True
