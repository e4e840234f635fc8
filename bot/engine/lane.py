"""A lane: threads of one kind of work and the line before them, so that no other kind's queue delays it."""

import logging
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from threading import Condition, Lock

log = logging.getLogger(__name__)


class Lane:
    """Runs up to ``threads`` jobs at once and logs failures. After ``close`` it takes no more."""

    def __init__(self, name: str, threads: int) -> None:
        self._name = name
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._open = 0  # jobs taken and not done
        self._keys: set[Hashable] = set()
        self._changed = Condition(Lock())

    def take(
        self, job: Callable[[], object], *, key: Hashable = None, then: Callable[[], object] = lambda: None
    ) -> bool:
        """Take a job; False if the lane is closed, or still has a job with this key (None means no key).

        ``then`` is called after the job, when another one with its key is welcome.
        """
        with self._changed:
            if key in self._keys:
                return False
            try:
                self._pool.submit(self._do, job, key, then)
            except RuntimeError:  # closed
                return False
            self._open += 1
            if key is not None:
                self._keys.add(key)
        return True

    def settle(self, seconds: float) -> bool:
        """Wait until every job is done, including new ones; False if that takes longer. Not after `stop_line`."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._open, seconds)

    def stop_line(self) -> None:
        """Take nothing more, and forget what waits in line; what runs goes on."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def close(self) -> None:
        """Take nothing more, and wait for what was taken."""
        self._pool.shutdown(wait=True)

    def _do(self, job: Callable[[], object], key: Hashable, then: Callable[[], object]) -> None:
        try:
            job()
        except Exception:
            log.exception("A job of the lane %s broke.", self._name)
        finally:
            with self._changed:
                self._open -= 1
                self._keys.discard(key)
                self._changed.notify_all()
            then()
