"""What a backtest adds up: how often each gate would have passed, held or failed. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from bot.domain.gate import Finding, GateAnswer

BACKTEST: Final = "backtest"
"""What people type for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How often a gate said what. ``worst`` is what it saw where it was strictest."""

    passed: int = 0
    held: int = 0
    failed: int = 0
    worst: str = ""

    def plus(self, finding: Finding) -> "Score":
        """Count one more window."""
        match finding.answer:
            case GateAnswer.PASS:
                return replace(self, passed=self.passed + 1)
            case GateAnswer.HOLD:
                worst = self.worst if self.failed else finding.reason
                return replace(self, held=self.held + 1, worst=worst)
            case GateAnswer.FAIL:
                return replace(self, failed=self.failed + 1, worst=finding.reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """All gates' scores; windows in which any gate ``failed``, or only ``held``; and those that could not be judged.

    ``thin`` had too few requests, ``lacking`` no numbers; ``lack`` says why.
    """

    gates: Mapping[str, Score] = field(default_factory=dict)
    windows: int = 0
    failed: int = 0
    held: int = 0
    thin: int = 0
    lacking: int = 0
    lack: str = ""

    def of(self, gate: str) -> Score:
        """Return the score of a gate."""
        return self.gates.get(gate, Score())

    def dumps(self) -> Mapping[str, Any]:
        """Return it as JSON."""
        numbers = {name: getattr(self, name) for name in ("windows", "failed", "held", "thin", "lacking", "lack")}
        gates = {
            name: {"passed": each.passed, "held": each.held, "failed": each.failed, "worst": each.worst}
            for name, each in self.gates.items()
        }
        return {**numbers, "gates": gates}

    @classmethod
    def loads(cls, document: Mapping[str, Any]) -> "Scores":
        """Read what ``dumps`` has written."""
        gates = {name: Score(**each) for name, each in document["gates"].items()}
        return cls(**{**document, "gates": gates})
