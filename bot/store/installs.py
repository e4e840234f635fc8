"""Which installs keep data in this Redis database, and which one is ours.

    {rolloutbot}:installs   hash    by name, a mark of the install's cluster; empty if somebody has named the install

An install that nobody names is called by the uid of its cluster or, if the bot may not read that, by the mark. Both are
the same for every replica and every terminal. The list does the rest: a process that may not read the uid, or cannot at
the moment, finds the install of its cluster by the mark.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Final, cast

import redis

from bot.domain.errors import StoreError
from bot.store.connection import store_errors
from bot.store.keys import ROOT, prefix_of
from bot.store.scripts import script

log = logging.getLogger(__name__)

KEY: Final = f"{ROOT}installs"


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallIdentity:
    """What a process knows about its install.

    ``named`` is what the environment or the policy file says, ``uid`` its cluster's: empty if it may not be read,
    None if the API server has not answered. ``mark`` is made of what the cluster proves its identity with.
    """

    named: str = ""
    uid: str | None = None
    mark: str = ""

    def name(self, known: Mapping[str, str]) -> str:
        """Return the name of the install, given the list of known ones; empty if it is not clear yet."""
        if self.named or (self.uid and self.uid in known):
            return self.named or str(self.uid)
        if self.uid:
            return self.mark if self.mark in known else self.uid  # earlier it was not allowed to read the uid
        marked = [name for name, mark in known.items() if self.mark and mark == self.mark]
        if len(marked) == 1:
            return marked[0]
        return "" if self.uid is None else self.mark


class Installs:
    """The list of installs."""

    def __init__(self, client: "redis.Redis") -> None:
        self._redis, self._join = client, script(client, "join")
        self._joined: tuple[str, str] | None = None
        self._told: set[str] = set()
        self._lock = Lock()

    def join(self, identity: InstallIdentity) -> str:
        """Put our install on the list and return its name. Raises StoreError if that is not known yet."""
        name = _known_name(identity, self._known())
        self._put(name, "" if identity.named else identity.mark)
        return name

    def stay(self) -> None:
        """Put our install on the list once more: Redis may have lost it, and another bot may have come."""
        if self._joined is not None:
            self._put(*self._joined)

    def _put(self, name: str, mark: str) -> None:
        with store_errors():
            reply = self._join(keys=[KEY], args=[ROOT, name, mark, prefix_of(name)])
        self._joined = (name, mark)
        taken, *names = cast(list[str], reply)
        self._tell(name, int(taken), set(names) - {name})

    def find(self, identity: InstallIdentity) -> str:
        """Return the name of an install that a bot already keeps data of, for a terminal that only joins in.

        Raises StoreError if the name is not known, or where there is only data of other installs.
        """
        known = self._known()
        name = _known_name(identity, known)
        if known and name not in known:
            others = ", ".join(f"`{each}`" for each in sorted(known))
            raise StoreError(
                f"Redis holds no data of install `{name}`, only of {others}.",
                hint="Name the one you mean in `ROLLOUTBOT_INSTALL`, or as `install` in the policy file.",
            )
        return name

    def _known(self) -> Mapping[str, str]:
        with store_errors():
            return cast(Mapping[str, str], self._redis.hgetall(KEY))

    def _tell(self, name: str, taken: int, others: set[str]) -> None:
        if taken:
            log.warning("install %s took over the data from before the bot had installs: %d keys", name, taken)
        with self._lock:  # several threads may need the first key
            new, self._told = sorted(others - self._told), self._told | others
        if new:
            log.warning("this Redis also holds data of install %s; install %s leaves it alone", ", ".join(new), name)


def _known_name(identity: InstallIdentity, known: Mapping[str, str]) -> str:
    name = identity.name(known)
    if not name:
        raise StoreError(
            "I do not know yet which data in Redis is mine: the API server has not told me the cluster's id.",
            hint="To start without it, set `ROLLOUTBOT_INSTALL`, or `install` in the policy file.",
        )
    return name
