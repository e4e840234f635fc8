"""Whose traffic a sentence is about: other routes that send to the old pool keep theirs."""

from bot.domain.gate import MOST_ROUTES
from bot.domain.prose import NAME, Code, Prose, joined, say
from bot.domain.rollout import Entry


def all_traffic(entry: Entry) -> Prose:
    """Begin a sentence about all traffic of the rollout; it names the route if others send to the old pool too."""
    rollout = entry.rollout
    if not entry.other_routes:
        return say("All traffic")
    return say("All traffic of {}", Code(f"{rollout.namespace}/{rollout.route}", 2 * NAME))


def other_routes(entry: Entry) -> Prose:
    """Name the other routes that send to the old pool, as far as they are kept; empty if there are none."""
    others = entry.other_routes
    more = [say("and more")] if len(others) >= MOST_ROUTES - 1 else []
    return joined(", ", [*(say("`{}`", name) for name in others), *more])
