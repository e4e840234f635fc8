"""A backtest in words."""

from bot.domain.backtest import Score, Scores


def of_gate(name: str, score: Score) -> str:
    """Say how often a gate would have held or failed."""
    of = score.passed + score.held + score.failed
    counts = f"`{name}`: {score.passed} of {_windows(of)} passed, {score.held} held, {score.failed} failed."
    return f"{counts} The worst: {score.worst}" if score.worst else counts


def of_scores(scores: Scores, pool: str, past: str) -> str:
    """Say how often a good pool would have been stopped, and of what nothing could be said."""
    judged = scores.windows - scores.thin - scores.lacking
    if not judged:
        why = scores.lack or "there were too few requests"
        return f"None of {_windows(scores.windows)} of `{pool}` could be judged: {why.rstrip('.')}."
    false = f"{_count(scores.failed, 'false stop')}, {_count(scores.held, 'false hold')}"
    parts = [(scores.thin, "had too few requests"), (scores.lacking, "had no requests or no numbers")]
    left = ", ".join(f"{count:,} more {what}" for count, what in parts if count)
    more = f" {left[0].upper()}{left[1:]}." if left else ""
    then = " If that is too often, raise the keys of those gates in the policy." if scores.failed or scores.held else ""
    halves = f"of the last {past} of `{pool}`, one half of its servers against the other"
    seen = f"{_windows(judged)} {halves}: {false}."
    return f"{seen}{more}{then}"


def _windows(count: int) -> str:
    return _count(count, "window")


def _count(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
