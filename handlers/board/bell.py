"""How the board hears that a card fell behind: whoever marks one rings, in any thread."""

from threading import Event


class Bell:
    """Made before the store and the board: the one rings it, the other waits for it."""

    def __init__(self) -> None:
        self._heard = Event()
        self.rings = 0

    def ring(self) -> None:
        """Have the board look at what is behind now, also in channels that rest."""
        self.rings += 1
        self._heard.set()

    def nudge(self) -> None:
        """Have the board look once more; what rests goes on resting."""
        self._heard.set()

    def wait(self, seconds: float) -> None:
        """Wait for the next ring or nudge."""
        self._heard.wait(seconds)

    def forget(self) -> None:
        """Count what was heard so far as looked at."""
        self._heard.clear()
