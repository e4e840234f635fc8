"""Whose traffic a sentence is about: other routes that send to the old pool keep theirs."""

from collections.abc import Sequence
from typing import Final

from bot.domain.prose import NAME, Code, Prose, joined, say
from bot.domain.rollout import Entry

MOST_NAMES: Final = 10


def all_traffic(entry: Entry) -> Prose:
    """Begin a sentence about all traffic of the rollout; it names the route if others send to the old pool too."""
    rollout = entry.rollout
    if not entry.other_routes:
        return say("All traffic")
    return say("All traffic of {}", Code(f"{rollout.namespace}/{rollout.route}", 2 * NAME))


def listed_routes(names: Sequence[str]) -> Prose:
    """Name routes that send to the old pool, as far as they are kept; empty if there are none."""
    more = [say("and more")] if len(names) > MOST_NAMES else []
    return joined(", ", [*(say("`{}`", name) for name in names[:MOST_NAMES]), *more])
