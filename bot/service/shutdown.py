"""The end of the process: it comes within seconds of a signal, whatever hangs."""

import faulthandler
import logging
import os
import queue
import signal
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import FrameType
from typing import Final

log = logging.getLogger(__name__)

FINISH_WITHIN: Final = 6.0
"""Seconds for running work. Giving the lease back to a Redis that hangs takes two more; in all it is below 10."""

END_WITHIN: Final = 9.5


class Signals:
    """SIGTERM and SIGINT from here on: the first asks for the end, another one ends the process at once."""

    def __init__(self) -> None:
        self._heard: queue.SimpleQueue[int] = queue.SimpleQueue()  # the only queue that a signal handler may write to
        self._is_first = True
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._hear)

    def wait(self) -> None:
        """Return when the end is asked for. A signal in the very moment in which a wait begins would not end it."""
        while True:
            with suppress(queue.Empty):
                self._heard.get(timeout=1)
                return

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if not self._is_first:
            os._exit(128 + number)
        self._is_first = False
        self._heard.put(number)


def hurry(seconds: float = END_WITHIN) -> None:
    """End the process when its time is up, whatever blocks it, and log what did."""
    faulthandler.dump_traceback_later(seconds, exit=True)


def finish(jobs: Mapping[str, Callable[[], object]], seconds: float = FINISH_WITHIN) -> None:
    """Do all jobs in parallel, and leave those that are not done in time."""
    deadline = time.monotonic() + seconds
    threads = [threading.Thread(target=_do, args=job, name=job[0], daemon=True) for job in jobs.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    if left := [thread.name for thread in threads if thread.is_alive()]:
        log.warning("not finished within %.0f s; the next process goes on with it: %s", seconds, ", ".join(left))


def _do(name: str, job: Callable[[], object]) -> None:
    try:
        job()
    except Exception:
        log.exception("%s: could not be stopped in order", name)


def leave() -> None:
    """End the process with status 0 now; threads that wait for a server would delay a normal exit."""
    logging.shutdown()
    os._exit(0)
