"""Whether a share of the new pool's requests is worse than the old pool's, from counts of the same minutes.

Fisher's exact test, one-sided, says how often chance alone would make the new pool look as bad. It is exact for few
requests and for shares near zero, where the usual tests for shares are not. Errors are shares as they are; a latency is
one by asking which share took longer than a bound.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeVar

Slice = TypeVar("Slice")


def load_statistics() -> None:
    """Import what the tests of this file need: it takes a second and 70 MB, and only bots with numbers need it."""
    import scipy.stats  # noqa: F401


SURE: Final = 2e-5
"""Chance makes an honest window look so bad less often than this, and it has to last besides."""
DOUBTFUL: Final = 0.01
"""From here on a step waits for more requests, although nothing is proved. Each part of a window has to be so too."""


@dataclass(frozen=True, slots=True)
class Share:
    """``bad`` of ``of`` requests."""

    bad: int
    of: int

    @property
    def percent(self) -> float:
        """Return the share; 0 of nothing."""
        return 100 * self.bad / self.of if self.of else 0.0


@dataclass(frozen=True, slots=True)
class Shares:
    """The same share of both pools."""

    stable: Share
    canary: Share


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """How much worse is worse: so many ``points`` of a percent more, and so many ``times`` as much.

    ``at_once``: so many points more are a fail although they may last for a moment only; None: nothing is.
    """

    points: float
    times: float
    at_once: float | None = None

    def is_over(self, shares: Shares) -> bool:
        """Say whether the new pool's share is larger by enough to matter."""
        new, old = shares.canary.percent, shares.stable.percent
        return new - old >= self.points and new >= self.times * old

    def is_gross(self, shares: Shares) -> bool:
        """Say whether it is so much larger that nobody should wait."""
        return self.at_once is not None and shares.canary.percent - shares.stable.percent >= self.at_once


class Judged(StrEnum):
    """What the counts say."""

    AS_GOOD = "as good"
    DOUBTFUL = "doubtful"  # it looks worse, and that may be chance, or may not last
    WORSE = "worse"


def judge(slices: Sequence[Slice], shares_of: Callable[[Sequence[Slice]], Shares], bar: Bar, forgiven: int) -> Judged:
    """Judge a window of slices of equal length. ``forgiven``: so many slices in a row may be bad.

    Worse is what chance does not explain, and what lasts: each half of the window is doubtful too, and so is the window
    without its worst ``forgiven`` slices.
    """
    whole = shares_of(slices)
    if not _is_doubtful(whole, bar):
        return Judged.AS_GOOD
    if chance_of(whole) < SURE and (bar.is_gross(whole) or _lasts(slices, shares_of, bar, forgiven)):
        return Judged.WORSE
    return Judged.DOUBTFUL


def chance_of(shares: Shares) -> float:
    """Return how often two equally good pools would give the new one as large a share, or a larger one."""
    from scipy.stats import fisher_exact

    new, old = shares.canary, shares.stable
    table = [[new.bad, new.of - new.bad], [old.bad, old.of - old.bad]]
    return float(fisher_exact(table, alternative="greater").pvalue)


def chance_of_share(some: int, of: int, share: float) -> float:
    """Return how often ``some`` of ``of``, or something as unlikely, come about where each is taken by ``share``.

    This is the exact binomial test, two-sided.
    """
    from scipy.stats import binomtest

    return float(binomtest(some, of, share).pvalue) if of else 1.0


def _lasts(slices: Sequence[Slice], shares_of: Callable[[Sequence[Slice]], Shares], bar: Bar, forgiven: int) -> bool:
    middle = len(slices) // 2
    parts = [slices[:middle], slices[middle:], _without_worst(slices, shares_of, forgiven)]
    return all(part and _is_doubtful(shares_of(part), bar) for part in parts)


def _is_doubtful(shares: Shares, bar: Bar) -> bool:
    return bar.is_over(shares) and chance_of(shares) < DOUBTFUL


def _without_worst(
    slices: Sequence[Slice], shares_of: Callable[[Sequence[Slice]], Shares], forgiven: int
) -> Sequence[Slice]:
    """Leave out the ``forgiven`` slices in a row in which the new pool had most of its bad requests."""
    starts = range(max(1, len(slices) - forgiven + 1))
    worst = max(starts, key=lambda start: shares_of(slices[start : start + forgiven]).canary.bad)
    return [*slices[:worst], *slices[worst + forgiven :]]
