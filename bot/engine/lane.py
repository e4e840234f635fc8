"""A lane: threads of one kind of work and the line before them, so that no other kind's queue delays it."""

import logging
import time
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from threading import Lock

log = logging.getLogger(__name__)


class Lane:
    """Runs up to ``threads`` jobs at once and logs failures. After ``close`` it takes no more."""

    def __init__(self, name: str, threads: int) -> None:
        self._name = name
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._taken: set[Future[None]] = set()
        self._keys: set[Hashable] = set()
        self._lock = Lock()

    def take(self, job: Callable[[], object], *, key: Hashable = None) -> bool:
        """Take a job; False if the lane is closed, or still has a job with this key (None means no key)."""
        with self._lock:
            if key in self._keys:
                return False
            try:
                taken = self._pool.submit(self._do, job)
            except RuntimeError:  # closed
                return False
            self._taken.add(taken)
            if key is not None:
                self._keys.add(key)
        taken.add_done_callback(partial(self._let_go, key))
        return True

    def settle(self, seconds: float) -> None:
        """Wait until every job is done, including new ones, but at most for so many seconds."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and (waiting := self._waiting()):
            wait(waiting, left)

    def stop_line(self) -> None:
        """Take nothing more, and forget what waits in line; what runs goes on."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def close(self) -> None:
        """Take nothing more, and wait for what was taken."""
        self._pool.shutdown(wait=True)

    def _do(self, job: Callable[[], object]) -> None:
        try:
            job()
        except Exception:
            log.exception("A job of the lane %s broke.", self._name)

    def _let_go(self, key: Hashable, done: Future[None]) -> None:
        with self._lock:
            self._taken.discard(done)
            self._keys.discard(key)

    def _waiting(self) -> list[Future[None]]:
        with self._lock:
            return [*self._taken]
