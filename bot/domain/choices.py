"""The rollouts that somebody's words may mean, where they do not say which: each medium lets people choose."""

from dataclasses import dataclass

from bot.domain.rollout import Entry


@dataclass(frozen=True, slots=True)
class Choices:
    """A verb by its name, the rollouts to choose from, and others that are to be told apart from them."""

    verb: str
    entries: tuple[Entry, ...]
    beside: tuple[Entry, ...] = ()
