"""A comparison in words: how far the vote is, and what came out."""

from bot.domain.comparison import Comparison, Opinion
from bot.domain.prose import Prose, say


def of_votes(comparison: Comparison) -> Prose:
    """Say how many people have answered every question, and how many have answered some."""
    some = frozenset[str]().union(*comparison.votes) - comparison.done
    have = "has" if len(some) == 1 else "have"
    more = say(", and {} more {} answered some", len(some), have) if some else Prose()
    return say(
        "*Votes:* {} of {} people have answered every question{}.", len(comparison.done), comparison.voters, more
    )


def of_opinion(opinion: Opinion) -> str:
    """Say what people think of the new pool's answers."""
    return (
        f"The new pool's answer was better in {opinion.better} vote{'' if opinion.better == 1 else 's'}, worse in "
        f"{opinion.worse}, and the same in {opinion.same}: {opinion.score:.0f} % for the new pool."
    )


def of_too_few(comparison: Comparison) -> str:
    """Say that the time was over before enough people had voted."""
    return f"Only {len(comparison.done)} of {comparison.voters} people answered every question in time."
