"""What a bench found: a ratio for each round and notes, and all findings as docs/performance.md."""

import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sandbox.folders import CHECKOUT
from sandbox.markdown import table

PAGE = CHECKOUT / "docs" / "performance.md"
HEAD = ("what", "ratio", "rounds", "goal", "floor", "ours")
MISSED = ", missed"
INTRODUCTION = """# Performance

`python -m bench --write` writes this page; `make bench` only prints the tables. Measured on {cores} cores with Python
{python}. The servers (etcd, kube-apiserver, Valkey with its append-only file) and the bot ran on the same machine.

Each **ratio** is what the bot takes, divided by what a **floor** takes; each section says what its floor is. The same
run measures both, in turns. A ratio of 1.5 is 50 % slower than the floor. The ratio is the median of the rounds, and
`rounds` gives the smallest and the largest. The times are over all rounds and hold for that machine only, so compare
ratios. No test depends on them.
"""


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
        spread = f"{min(self.ratios):.2f}-{max(self.ratios):.2f}"
        return (
            self.what,
            f"{self.ratio:.2f}",
            spread,
            self.goal + (MISSED if self.is_missed else ""),
            self.floor,
            self.ours,
        )

    @property
    def is_missed(self) -> bool:
        """Return whether the goal, if it is a ratio, was not reached."""
        return self.goal.replace(".", "").isdigit() and round(self.ratio, 2) > float(self.goal)


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
    return f"{seconds * 1000:.1f} ms"


def report(findings: Sequence[Finding]) -> str:
    """Return the findings as text, each with its table and its notes."""
    return "\n\n".join(_section(finding) for finding in findings) + "\n"


def write(findings: Sequence[Finding]) -> Path:
    introduction = INTRODUCTION.format(cores=os.cpu_count(), python=platform.python_version())
    PAGE.write_text(f"{introduction}\n{report(findings)}")
    return PAGE


def _section(finding: Finding) -> str:
    notes = "\n".join(note if note.startswith(" ") else f"- {note}" for note in finding.notes)
    parts = (f"## {finding.title}", finding.about.strip(), table(HEAD, (row.cells() for row in finding.rows)), notes)
    return "\n\n".join(part for part in parts if part)
