"""What a bench found: a ratio for each round, and notes on where the time went."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


def percentile(times: Sequence[float], percent: float) -> float:
    """Return the value that ``percent`` % of ``times`` do not exceed."""
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


@dataclass(frozen=True, slots=True)
class Round:
    """The times of one round, in seconds: the floor's and ours."""

    floor: Sequence[float]
    ours: Sequence[float]

    def ratio(self, percent: float) -> float:
        """Return our time divided by the floor's."""
        return percentile(self.ours, percent) / percentile(self.floor, percent)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table. ``ratios`` has one for each round; ``floor`` and ``ours`` are over all rounds."""

    what: str
    floor: str
    ours: str
    ratios: Sequence[float]
    goal: str = ""

    @property
    def ratio(self) -> float:
        """Return the median of the rounds."""
        return statistics.median(self.ratios)

    def cells(self) -> tuple[str, ...]:
        """Return the cells: what, ratio, spread, goal, floor, ours."""
        spread = f"{min(self.ratios):.2f}-{max(self.ratios):.2f}"
        return self.what, f"{self.ratio:.2f}", spread, self.goal, self.floor, self.ours


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """All that one bench found. ``about`` says what it measures and what the floor is."""

    title: str
    about: str
    rows: Sequence[Row]
    notes: Sequence[str] = ()


def rows_of(what: str, rounds: Sequence[Round], *, goals: dict[int, str] | None = None) -> list[Row]:
    """Return a line for the 50th and one for the 99th percentile."""
    floor = [time for each in rounds for time in each.floor]
    ours = [time for each in rounds for time in each.ours]
    return [
        Row(
            what=f"{what}, p{percent}",
            floor=milliseconds(percentile(floor, percent)),
            ours=milliseconds(percentile(ours, percent)),
            ratios=[each.ratio(percent) for each in rounds],
            goal=(goals or {}).get(percent, ""),
        )
        for percent in (50, 99)
    ]


def milliseconds(seconds: float) -> str:
    """Format a time in milliseconds."""
    return f"{seconds * 1000:.1f} ms"
