"""What a check found."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Violation:
    """How a promise was broken, and for which rollout."""

    rollout: str
    said: str


@dataclass
class Found:
    """One promise: how many cases there were, what broke it, and what a documented exception allows."""

    promise: str
    cases: int = 0
    violations: list[Violation] = field(default_factory=list)
    excused: "Counter[str]" = field(default_factory=Counter)

    def broken(self, rollout: str, said: str) -> None:
        self.violations.append(Violation(rollout, said))
