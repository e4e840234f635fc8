"""How the board hears that a card is behind: whoever marks one rings, in any thread."""

from threading import Event


class Bell:
    """Built before the store, which rings it, and the board, which waits for it."""

    def __init__(self) -> None:
        self._heard = Event()
        self.rings = 0

    def ring(self) -> None:
        """Make the board look now at what is behind, even in resting channels."""
        self.rings += 1
        self._heard.set()

    def nudge(self) -> None:
        """Make the board look once more, but not at resting channels."""
        self._heard.set()

    def wait(self, seconds: float) -> None:
        """Wait for the next ring or nudge."""
        self._heard.wait(seconds)

    def forget(self) -> None:
        """Count the rings so far as handled."""
        self._heard.clear()
