"""Is what Redis remembers whole? A flush, a restored backup or a fail-over leaves it empty, or older than it was.

A rebuild declares the memory whole under a number that only rises (the epoch). From then on each write is counted, and
each replica keeps the highest count that it has seen: where the memory has no epoch, or counts less than was seen, it
has forgotten something. Every script that decides or claims asks this, so every replica knows it at its next step.
"""

from collections.abc import Sequence
from threading import Lock


class Sight:
    """The newest state of the memory that this replica has seen; used by many threads."""

    def __init__(self) -> None:
        self._epoch, self._writes = 0, 0
        self._lock = Lock()

    def arguments(self) -> tuple[str, str]:
        """Return what the scripts compare: the epoch, and the writes counted in it."""
        with self._lock:
            return str(self._epoch), str(self._writes)

    def saw(self, reply: Sequence[object]) -> None:
        """Take in what Redis counts now."""
        epoch, writes = (int(str(number or 0)) for number in reply)
        with self._lock:
            self._epoch, self._writes = max((self._epoch, self._writes), (epoch, writes))

    def epoch_after(self, now_ms: int) -> int:
        """Return an epoch that is newer than any that was seen."""
        with self._lock:
            return max(now_ms, self._epoch + 1)


class Rebuilding(Sight):
    """What a rebuild sees: it writes into a memory that is not whole yet."""

    def arguments(self) -> tuple[str, str]:
        """Ask nothing."""
        return "any", "0"
