"""Gates: checks before a step up. No data is hold; only a gate that is sure fails a rollout."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class GateAnswer(StrEnum):
    """What a gate says to a step up."""

    PASS = "pass"
    HOLD = "hold"
    FAIL = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """Ready endpoints of both pools when they were last looked at; ``of`` is how many there are in all."""

    canary_ready: int
    canary_of: int
    stable_ready: int
    stable_of: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The answer of all gates together: the strictest one, its reason in a sentence, and what was seen.

    ``asked`` is False where the cluster did not answer, which is no news of the pools.
    """

    answer: GateAnswer
    reason: str = ""
    readiness: Readiness | None = None
    asked: bool = True
