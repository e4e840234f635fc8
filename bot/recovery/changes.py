"""Changes that a watch reports are handled in threads of their own, so that the watch goes on."""

import logging
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from threading import Lock
from typing import Final

from bot.domain.errors import DependencyError
from bot.domain.rollout import Pool
from bot.engine.lane import Lane
from bot.engine.route_port import RouteCopy
from bot.recovery.audit import Audit

log = logging.getLogger(__name__)

THREADS: Final = 4
WINDOW: Final = 30.0
MOST: Final = 20
"""How often one object is handled in a window. Without a limit, we and a controller that undoes our every write would
go on as fast as we can. Beyond it, the sweep, which looks at everything now and then, is soon enough."""


class ChangeLane:
    """Handles changes; of several changes of one object only the newest. It does nothing before it is started.

    ``missed`` is called if a change could not be handled.
    """

    def __init__(self, inspector: Audit, leads: Callable[[], bool], missed: Callable[[], None] = lambda: None) -> None:
        self._inspector = inspector
        self._leads, self._missed = leads, missed
        self._newest: dict[object, Callable[[], object]] = {}
        self._lane: Lane | None = None
        self._looks: Counter[object] = Counter()
        self._since = 0.0
        self._lock = Lock()

    def start(self) -> None:
        """Begin: this process is the leader now."""
        with self._lock:
            self._lane = Lane("notice", THREADS)

    def stop(self) -> None:
        """Finish the changes in hand, and stop."""
        with self._lock:
            lane, self._lane = self._lane, None
            self._newest.clear()
        if lane is not None:
            lane.stop_line()
            lane.close()

    def route_changed(self, copy: RouteCopy) -> None:
        """A route is new, or has changed."""
        self._notice((copy.namespace, copy.name), lambda: self._inspector.look(copy))

    def route_gone(self, copy: RouteCopy) -> None:
        """A route was deleted."""
        self._notice(copy.uid, lambda: self._inspector.route_gone(copy))

    def pool_gone(self, pool: Pool) -> None:
        """A pool was deleted."""
        self._notice(pool, lambda: self._inspector.pool_gone(pool))

    def pool_ending(self, pool: Pool) -> None:
        """A pool is being deleted, and still there."""
        self._notice(("ending", pool), lambda: self._inspector.pool_ending(pool))

    def _notice(self, key: object, look: Callable[[], object]) -> None:
        with self._lock:
            if self._lane is None:
                return
            if key in self._newest:
                self._newest[key] = look
            elif self._may_look(key):
                self._newest[key] = look
                self._lane.take(partial(self._look, key))

    def _may_look(self, key: object) -> bool:
        now = time.monotonic()
        if now - self._since > WINDOW:
            self._since = now
            self._looks.clear()
        self._looks[key] += 1
        return self._looks[key] <= MOST

    def _look(self, key: object) -> None:
        with self._lock:
            look = self._newest.pop(key, None)
        try:
            if look is not None and self._leads() and look() is False:
                self._missed()
        except DependencyError as error:
            self._missed()
            log.warning("%s I look again within half a minute.", error.message)
        except Exception:
            log.exception("what a watch saw could not be handled")
