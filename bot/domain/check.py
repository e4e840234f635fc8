"""What was found before a rollout: one line for each thing that was looked at, the worst first."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from bot.domain.deadlines import HOLD_AT_MOST, MINUTE


class Grade(StrEnum):
    """What a line means for a start."""

    STOP = "stop"  # a start is refused
    WARN = "warn"  # a start says it
    PASS = "pass"


_WORST: Final = (Grade.STOP, Grade.WARN, Grade.PASS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One thing that was looked at: what was found, as a sentence, and what to do next (may be empty).

    ``holds``: a rollout would hold before its first weight, for as long as that is so. ``is_watched``: a rollout
    watches it, and its card shows it as it is then, so a start need not tell it.
    """

    grade: Grade
    topic: str
    said: str
    hint: str = ""
    holds: bool = False
    is_watched: bool = False

    @property
    def text(self) -> str:
        """Return both sentences."""
        return f"{self.said} {self.hint}".strip()


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that was found."""

    lines: tuple[Line, ...] = ()

    @property
    def grade(self) -> Grade:
        """Return the worst grade of all lines; without any, nothing speaks against a start."""
        return next((grade for grade in _WORST if self.of(grade)), Grade.PASS)

    def of(self, grade: Grade) -> Sequence[Line]:
        """Return the lines of one grade."""
        return [line for line in self.lines if line.grade is grade]

    @property
    def holds(self) -> bool:
        """Say whether a rollout would hold before its first weight."""
        return any(line.holds for line in self.lines)

    def worst_first(self) -> Sequence[Line]:
        """Return all lines, those that stop a start first."""
        return [line for grade in _WORST for line in self.of(grade)]

    def with_lines(self, *lines: Line) -> "Report":
        """Return a report with more lines."""
        return Report((*self.lines, *lines))


def stop(topic: str, said: str, hint: str = "") -> Line:
    """Return a line that stops a start."""
    return Line(grade=Grade.STOP, topic=topic, said=said, hint=hint)


def warn(topic: str, said: str, hint: str = "", *, is_watched: bool = False) -> Line:
    """Return a warning."""
    return Line(grade=Grade.WARN, topic=topic, said=said, hint=hint, is_watched=is_watched)


def hold(topic: str, said: str) -> Line:
    """Return a warning of what a rollout waits for."""
    minutes = HOLD_AT_MOST // MINUTE
    hint = f"No weight moves until that is fixed: the rollout holds, and pauses after {minutes} minutes."
    return Line(grade=Grade.WARN, topic=topic, said=said, hint=hint, holds=True, is_watched=True)


def fine(topic: str, said: str) -> Line:
    """Return a line about what is well."""
    return Line(grade=Grade.PASS, topic=topic, said=said)
