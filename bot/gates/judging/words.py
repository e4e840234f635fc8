"""What gates say about two pools: short for the card, a sentence for a decision."""

from bot.domain.gate import Figure, GateAnswer
from bot.gates.judging.shares import Judged, Share, Shares


def count(number: int) -> str:
    """Write a number as people read it: 1,836."""
    return f"{number:,}"


def percent(share: float) -> str:
    """Write a percentage with as much as matters."""
    return f"{share:.1f} %" if share < 99.95 else "100 %"


def figure(name: str, shares: Shares) -> Figure:
    """Return both pools' shares for the thread."""
    return Figure(name, _share(shares.canary), _share(shares.stable))


def percents(shares: Shares) -> str:
    """Write both pools' shares for the card."""
    return f"{_share(shares.canary)} (old {_share(shares.stable)})"


def _share(share: Share) -> str:
    """Write a share; of nothing there is none."""
    return percent(share.percent) if share.of else "–"


def verdict(judged: Judged, sentence: str, seen: int, wanted: int) -> tuple[GateAnswer, str]:
    """Return the answer and its reason: ``sentence`` says how the new pool is worse; it has had ``seen`` requests."""
    if judged is Judged.WORSE:
        return GateAnswer.FAIL, sentence
    if judged is Judged.DOUBTFUL:
        return GateAnswer.HOLD, may_pass(sentence)
    if seen < wanted:
        needs = f"{count(wanted)} requests that a judgement needs (`evidence.requests`)"
        return GateAnswer.HOLD, f"The new pool has had {count(seen)} of the {needs}."
    return GateAnswer.PASS, ""


def may_pass(sentence: str) -> str:
    """Say that what a sentence tells may be chance, or a bad moment."""
    return f"{sentence.rstrip('.')}; I wait to see whether that lasts."


def compared(shares: Shares, what: str) -> str:
    """Say in a sentence which share of both pools' requests did something."""
    new, old = shares.canary, shares.stable
    return (
        f"{percent(new.percent)} of the new pool's {count(new.of)} request{'' if new.of == 1 else 's'} {what}, "
        f"and {percent(old.percent)} of the old pool's {count(old.of)}."
    )


def lasted(seconds: float) -> str:
    """Write how long something took: 90 s, 7 min."""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def seconds(time: float) -> str:
    """Write a time with two digits that matter: 38 ms, 1.2 s."""
    return f"{1000 * time:.2g} ms" if time < 0.0995 else f"{1000 * time:.0f} ms" if time < 0.9995 else f"{time:.1f} s"
