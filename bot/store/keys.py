"""How the keys in Redis begin: with their install, so that two bots on one database stay apart.

The braces keep all keys in one slot of a Redis Cluster, those of other installs too.
"""

from collections.abc import Callable
from typing import Final

ROOT: Final = "{rolloutbot}:"

Prefix = Callable[[], str]
"""Returns how the keys of an install begin. Raises StoreError if that is not known yet."""


def prefix_of(install: str) -> str:
    """Return how the keys of a named install begin."""
    return f"{ROOT}install:{install}:"
