"""Leading, in a thread of its own: for as long as this process holds the lease, again and again."""

import logging
import threading
from collections.abc import Callable
from typing import Final

from bot.store.lease import Lease

log = logging.getLogger(__name__)

LOOKED_AT_EVERY: Final = 0.5  # seconds; only the clock shows that the lease has run out
REST: Final = 1.0


class Leader:
    """Calls ``begin`` when the lease is taken, and ``end`` when it is lost or this process stops.

    ``end`` may take as long as the steps in hand take. Meanwhile the lease is not asked for again, so somebody who
    can lead at once has it, and no two reigns are in one process.
    """

    def __init__(self, lease: Lease, *, begin: Callable[[], None], end: Callable[[], None]) -> None:
        self._lease, self._begin, self._end = lease, begin, end
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="leader", daemon=True)

    def leads(self) -> bool:
        """Say whether this process may begin something that only the leader does."""
        return self._lease.held and not self._stopping.is_set()

    def start(self) -> None:
        """Seek the lease."""
        self._thread.start()

    def stop(self) -> None:
        """Begin nothing more, finish what runs, and give the lease back."""
        self._stopping.set()
        self._lease.news.set()
        self._thread.join()
        self._lease.stop()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._lease.seek()
            self._wait()
            if self.leads():
                self._reign()

    def _reign(self) -> None:
        log.info("leader")
        try:
            self._begin()
            while self.leads():
                self._wait()
        except Exception:
            # A leader that cannot work lets another one try.
            log.exception("could not take the lead")
            self._lease.give_back()
            self._stopping.wait(REST)
        try:
            self._end()
        except Exception:
            log.exception("could not stand down")
        log.info("no longer leader")

    def _wait(self) -> None:
        self._lease.news.wait(LOOKED_AT_EVERY)
        self._lease.news.clear()
