"""The page docs/reliability.md: what is promised, how it is checked, and the tables of the runs."""

from collections.abc import Sequence
from pathlib import Path

from chaos.verdict import Verdict

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reliability.md"
TEXT = Path(__file__).resolve().parent / "reliability.md"


def write(verdicts: Sequence[Verdict]) -> Path:
    """Write the page and return where it is."""
    PAGE.write_text(f"{TEXT.read_text()}\n{report(verdicts)}\n")
    return PAGE


def report(verdicts: Sequence[Verdict]) -> str:
    """Write the tables of some runs."""
    return "\n\n".join(f"## Seed {each.plan.seed}\n\n{summary(each)}\n\n{each.tables}" for each in verdicts)


def summary(verdict: Verdict) -> str:
    """Say in a line how it came out."""
    plan = verdict.plan
    how = "no promise broken, every fault met" if verdict.is_good else "FAILED"
    return f"{plan.seconds:.0f} s of faults at {plan.sites} routes, then calm: {how}."
