"""What a start looks for, and the commands it offers when the words fit more than one thing. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from bot.domain.commands.request import START, StartWords
from bot.domain.plan import ALL_STEPS, Wishes, show_duration

MOST_OFFERS: Final = 5


@dataclass(frozen=True, slots=True)
class Search:
    """The words of a start, and where to look."""

    command: str
    namespaces: tuple[str, ...]
    canary: str
    words: StartWords
    verb: str = START

    def offer(self, *, canary: str = "", namespace: str = "", route: str = "", stable: str = "", rule: str = "") -> str:
        """Write the command again with these values added, ready to copy."""
        words = self.words
        keys = {
            "namespace": namespace or words.namespace,
            "route": route or words.route,
            "from": stable or words.stable,
            "rule": rule or words.rule,
            **_wishes(words.wishes),
        }
        weight = f" {words.weight}" if words.weight else ""
        said = "".join(f" {key}={value}" for key, value in keys.items() if value)
        return f"`{self.command} {self.verb} {canary or self.canary}{weight}{said}`"


def one_of(offers: Iterable[str], *, lead: str = "Say which one:") -> str:
    """Write offers as a list, one a line, and say how many were left out; a single one as a command to type."""
    lines = list(dict.fromkeys(offers))
    if len(lines) == 1:
        return f"Type {lines[0]}."
    left = len(lines) - MOST_OFFERS
    more = [f"… and {left} more"] if left > 0 else []
    return "\n".join([lead, *lines[:MOST_OFFERS], *more])


def listed(names: Iterable[str]) -> str:
    """Write names for a sentence."""
    return ", ".join(f"`{name}`" for name in names)


def some(names: Sequence[str], most: int = 5) -> str:
    """Write the first names for a sentence, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{listed(names[:most])}{more}"


def _wishes(wishes: Wishes) -> dict[str, str]:
    said: dict[str, str] = {}
    if wishes.steps is not None:
        said["steps"] = ",".join(map(str, wishes.steps))
    if wishes.interval is not None:
        said["every"] = show_duration(wishes.interval)
    if wishes.bake is not None:
        said["bake"] = show_duration(wishes.bake)
    if wishes.approve_at is not None:
        marks = "all" if wishes.approve_at == ALL_STEPS else ",".join(map(str, wishes.approve_at))
        said["approve"] = marks or "none"
    return said
