"""A control loop: watch some collections, and do the work after each change, in one thread."""

import logging
import threading
from collections.abc import Callable, Mapping

import urllib3

from sandbox.errors import ApiError, SandboxError
from sandbox.kube import Kube, Object
from sandbox.watching import Key, Watch

log = logging.getLogger(__name__)

RETRY_SECONDS = 0.1
EXPECTED = (ApiError, urllib3.exceptions.HTTPError, SandboxError)
"""An object has changed or gone, or a server is away: the next look will show."""

Work = Callable[[], float | None]
"""Returns after how many seconds it wants to look again; None: only after a change."""


class Loop:
    """``paths`` are the collections, by the names under which ``objects`` returns them."""

    def __init__(self, name: str, kube: Kube, paths: Mapping[str, str], work: Work) -> None:
        self._name, self._work = name, work
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._watches = {kind: Watch(kube, path, self.wake) for kind, path in paths.items()}
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start."""
        for watch in self._watches.values():
            watch.start()
        self._thread.start()

    def stop(self) -> None:
        """End all threads."""
        self._stopping.set()
        self._wake.set()
        self._thread.join()
        for watch in self._watches.values():
            watch.stop()

    def wake(self) -> None:
        """Do the work soon, although nothing has changed on the API server."""
        self._wake.set()

    def rest(self, seconds: float) -> None:
        """Wait in the middle of the work; not longer than until ``stop``."""
        self._stopping.wait(seconds)

    def objects(self, kind: str) -> Mapping[Key, Object]:
        """Return a collection as it is now."""
        return self._watches[kind].objects

    def all(self, kind: str) -> list[Object]:
        """Return the objects of a collection."""
        return list(self.objects(kind).values())

    def take_in(self, kind: str, obj: Object) -> None:
        """Take in an object that the caller has just created, before the watch tells of it."""
        self._watches[kind].take_in(obj)

    def _run(self) -> None:
        for watch in self._watches.values():
            while not watch.synced.wait(0.1):
                if self._stopping.is_set():
                    return
        again: float | None = None
        while not self._stopping.is_set():
            self._wake.wait(again)
            self._wake.clear()
            again = self._look()

    def _look(self) -> float | None:
        try:
            return self._work()
        except EXPECTED as error:
            log.debug("%s: %s", self._name, error)
        except Exception:
            log.exception("%s: a bug of the sandbox", self._name)
        return RETRY_SECONDS
