"""What a check has found."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken promise: which, and of which rollout."""

    rollout: str
    said: str


@dataclass
class Found:
    """One promise: how many cases were looked at, what broke it, and what falls under a documented exception."""

    promise: str
    cases: int = 0
    violations: list[Violation] = field(default_factory=list)
    excused: "Counter[str]" = field(default_factory=Counter)

    def broken(self, rollout: str, said: str) -> None:
        """Note a violation."""
        self.violations.append(Violation(rollout, said))
