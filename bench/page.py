"""The findings as text: for the terminal, and as docs/performance.md."""

import os
import platform
from collections.abc import Sequence
from pathlib import Path

from bench.figures import Finding
from sandbox.folders import CHECKOUT
from sandbox.markdown import table

PAGE = CHECKOUT / "docs" / "performance.md"

HEAD = ("what", "ratio", "rounds", "goal", "floor", "ours")
INTRODUCTION = """# Performance

`python -m bench --write` writes this page; `make bench` only prints the tables. Measured on {cores} cores with Python
{python}. The servers (etcd, kube-apiserver, Valkey with its append-only file) and the bot ran on the same machine.

Each **ratio** is what the bot takes, divided by what a **floor** takes; each section says what its floor is. The same
run measures both, in turns. A ratio of 1.5 is 50 % slower than the floor. The ratio is the median of the rounds, and
`rounds` gives the smallest and the largest. The times are over all rounds and hold for that machine only, so compare
ratios. No test depends on them.
"""


def report(findings: Sequence[Finding]) -> str:
    """Return the findings as text, each with its table and its notes."""
    return "\n\n".join(_section(finding) for finding in findings) + "\n"


def write(findings: Sequence[Finding]) -> Path:
    """Write the page and return where it is."""
    introduction = INTRODUCTION.format(cores=os.cpu_count(), python=platform.python_version())
    PAGE.write_text(f"{introduction}\n{report(findings)}")
    return PAGE


def _section(finding: Finding) -> str:
    notes = "\n".join(note if note.startswith(" ") else f"- {note}" for note in finding.notes)
    parts = (f"## {finding.title}", finding.about.strip(), table(HEAD, (row.cells() for row in finding.rows)), notes)
    return "\n\n".join(part for part in parts if part)
