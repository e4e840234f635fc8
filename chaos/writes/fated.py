"""One process after the other carries an operation out, while one of its writes meets a fate."""

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from bot.domain.operation import Operation
from chaos.writes.site import Site
from chaos.writes.worker import PROCESSES, is_through, work
from sandbox.errors import SandboxError
from sandbox.faults import Fault
from sandbox.process import wait_until

WRITES: Final = "POST|PUT|PATCH|DELETE"
NEVER: Final = 10**6
"""More writes than any operation needs."""

ONE_AFTER_THE_OTHER: Final = 6
"""So many processes may be needed for one operation."""

PATIENCE: Final = 90.0
"""Seconds within which a process ends or reaches a write."""


@dataclass
class Fated:
    """Fails one write, after the ``spared`` ones; ``met`` says afterwards whether there was such a write.

    ``rest`` passes before the next process goes on.
    """

    fate: Fault
    spared: int
    rest: timedelta = timedelta(0)
    met: bool = False

    def carry_out(self, site: Site, operation: str) -> Operation:
        """Let one process after the other work until the operation has no more effect."""
        before = site.proxy.hits.total()
        path = f"/namespaces/{site.namespace}/"
        site.proxy.inject(self.fate, method=WRITES, path=path, times=1, spared=self.spared)
        try:
            for _ in range(ONE_AFTER_THE_OTHER):
                self._process(site, operation, lambda: site.proxy.hits.total() > before)
                if is_through(found := site.operation(operation)):
                    return found
                site.clock.jump(self.rest)
        finally:
            self.met = site.proxy.hits.total() > before
            site.proxy.lift()
        raise SandboxError(f"{operation} does not end: {found}")

    def _process(self, site: Site, operation: str, is_hit: Callable[[], bool]) -> None:
        """Let a process work until it ends, or kill it and Helm at the write."""
        may_die = self.fate is Fault.UNANSWERED and not is_hit()
        process = PROCESSES.Process(target=work, args=(site.environment, site.clock, operation), daemon=True)
        process.start()
        try:
            wait_until("an end", lambda: not process.is_alive() or (may_die and is_hit()), seconds=PATIENCE)
        finally:
            if process.is_alive():
                _kill(process.pid)
            process.join()


def _kill(leader: int | None) -> None:
    assert leader is not None
    os.killpg(leader, signal.SIGKILL)
