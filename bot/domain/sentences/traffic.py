"""Whose traffic a sentence is about: other routes that send to the old pool keep theirs."""

from bot.domain.prose import NAME, Code, Prose, say
from bot.domain.rollout import Entry


def all_traffic(entry: Entry) -> Prose:
    """Begin a sentence about all traffic of the rollout; it names the route if others send to the old pool too."""
    rollout = entry.rollout
    if not entry.other_routes:
        return say("All traffic")
    return say("All traffic of {}", Code(f"{rollout.namespace}/{rollout.route}", 2 * NAME))
