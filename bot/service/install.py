"""Which install this process belongs to, and so how its keys in Redis begin: found out at the first key."""

import logging
from collections.abc import Callable
from threading import Event
from typing import Final

from bot.domain.errors import ClusterError
from bot.store.installs import InstallIdentity, Installs
from bot.store.keys import prefix_of

log = logging.getLogger(__name__)

AGAIN_AFTER: Final = 2.0
"""Seconds after which the API server is asked again."""

Enter = Callable[[Installs, InstallIdentity], str]


class ClusterId:
    """The id of our cluster, as far as we know it from the API server."""

    def __init__(self, ask: Callable[[], str], mark: str) -> None:
        self._ask, self._mark = ask, mark
        self._uid: str | None = None
        self._was_asked = False

    def ask(self) -> bool:
        """Ask the API server; False if it does not answer."""
        try:
            self._uid = self._ask()
        except ClusterError as error:
            if not self._was_asked:
                log.warning("the cluster's id is not known yet: %s", error)
        self._was_asked = True
        return self._uid is not None

    def identity(self) -> InstallIdentity:
        """Return what is known. The mark alone counts only if the API server did not answer."""
        return InstallIdentity(uid=self._uid, mark=self._mark if self._was_asked else "")


class Install:
    """Named, or told by its cluster. ``enter`` says that this process works with its data, and returns its name."""

    def __init__(self, installs: Installs, named: str, cluster: ClusterId, enter: Enter) -> None:
        self._installs, self._named, self._cluster, self._enter = installs, named, cluster, enter
        self._name = ""

    def prefix(self) -> str:
        """Return how its keys begin. Raises StoreError if Redis or the cluster's id cannot be had yet."""
        if not self._name:
            identity = InstallIdentity(named=self._named) if self._named else self._cluster.identity()
            self._name = self._enter(self._installs, identity)
        return prefix_of(self._name)

    def ask(self) -> bool:
        """Ask the cluster for its id if we need it; False if it does not answer."""
        return bool(self._named) or self._cluster.ask()

    def ask_until_known(self, ending: Event) -> None:
        """Ask until there is an answer, or the process ends."""
        while not self.ask():
            if ending.wait(AGAIN_AFTER):
                return
        self._name = ""  # found by the cluster's mark, it may be that of another cluster with the same authority

    def stay(self) -> None:
        """Keep the install on the list, even after Redis has lost the list."""
        self._installs.stay()
