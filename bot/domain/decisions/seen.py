"""What the gates saw when something was decided goes with the event, so that people can see why."""

from dataclasses import replace

from bot.domain.gate import Verdict
from bot.domain.rollout import Change


def with_figures(change: Change, verdict: Verdict | None) -> Change:
    """Add what the gates saw to the last event of a decision, if they saw numbers."""
    figures = tuple(figure for finding in verdict.findings for figure in finding.figures) if verdict else ()
    if not figures or not change.events:
        return change
    *earlier, last = change.events
    return replace(change, events=(*earlier, replace(last, figures=figures)))
