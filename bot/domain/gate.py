"""Gates: checks before a step up. No data is hold; only a gate that is sure fails a rollout."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final


class GateAnswer(StrEnum):
    """What a gate says to a step up."""

    PASS = "pass"
    HOLD = "hold"
    FAIL = "fail"


POOLS_READY: Final = "pools_ready"
"""The gate that holds while the new pool cannot serve."""

QUALITY: Final = "quality"
"""The gate that holds until people have voted: they have as long as for an approval."""

_NONE_READY: Final = "it has no ready endpoint."


MOST_ROUTES: Final = 12
"""So many routes of the old pool are kept: ours, those that are named, and one that says that there are more."""


class OnFail(StrEnum):
    """Where the fail of a gate leads; the policy says it for each gate."""

    ROLL_BACK = "rollback"
    PAUSE = "pause"


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """Ready endpoints of both pools when they were last looked at; ``of`` is how many there are in all.

    A ``lack`` says why a pool cannot serve, in a sentence; it is empty if the pool can. ``stable_routes`` are the first
    HTTPRoutes (namespace/name) that send to the stable pool, as far as they are watched.
    """

    canary_ready: int
    canary_of: int
    stable_ready: int
    stable_of: int
    at: datetime
    canary_lack: str = ""
    stable_lack: str = ""
    stable_routes: tuple[str, ...] = ()

    @property
    def stable_doubt(self) -> str:
        """Say in a sentence why traffic should not go back to the old pool; empty if it can serve."""
        return self.stable_lack or ("" if self.stable_ready else _NONE_READY)

    @property
    def canary_doubt(self) -> str:
        """Say in a sentence why the new pool cannot serve; empty if it can."""
        return self.canary_lack or ("" if self.canary_ready else _NONE_READY)


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of both pools, as people read it, with its unit."""

    name: str
    new: str
    old: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one gate found. ``reason`` is a sentence if it does not pass; ``evidence`` a few words for the card.

    ``standing`` are a few words that the card says whatever the answer is; ``figures`` are for the thread.
    """

    gate: str
    answer: GateAnswer
    reason: str = ""
    evidence: str = ""
    standing: str = ""
    figures: tuple[Figure, ...] = ()
    on_fail: OnFail = OnFail.ROLL_BACK


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A finding for whoever asks, with what was counted, and a query for the same numbers (PromQL; may be empty)."""

    finding: Finding
    details: str = ""
    promql: str = ""


_STRICTEST: Final = (GateAnswer.FAIL, GateAnswer.HOLD, GateAnswer.PASS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What all gates found together, and the ready endpoints of the pools where they were counted on the way."""

    findings: tuple[Finding, ...] = ()
    readiness: Readiness | None = None

    @property
    def answer(self) -> GateAnswer:
        """Return the strictest answer."""
        return strictest(self.findings)

    @property
    def reason(self) -> str:
        """Say why it does not pass, in the words of the strictest gates; empty if all pass."""
        return reason(self.findings)

    @property
    def gates(self) -> tuple[str, ...]:
        """Return the gates with the strictest answer, in the order of the findings; none where all pass."""
        return tuple(finding.gate for finding in _decisive(self.findings))

    @property
    def on_fail(self) -> OnFail:
        """Return where a fail leads: one gate that rolls back is enough."""
        rolls_back = any(finding.on_fail is OnFail.ROLL_BACK for finding in _decisive(self.findings))
        return OnFail.ROLL_BACK if rolls_back else OnFail.PAUSE


def strictest(findings: Sequence[Finding]) -> GateAnswer:
    """Return the strictest answer of some findings; without any, nothing speaks against a step."""
    answers = {finding.answer for finding in findings}
    return next((answer for answer in _STRICTEST if answer in answers), GateAnswer.PASS)


def reason(findings: Sequence[Finding]) -> str:
    """Join the reasons of the findings with the strictest answer, each once; empty if all pass."""
    return " ".join(dict.fromkeys(finding.reason for finding in _decisive(findings) if finding.reason))


def _decisive(findings: Sequence[Finding]) -> Sequence[Finding]:
    answer = strictest(findings)
    return [] if answer is GateAnswer.PASS else [finding for finding in findings if finding.answer is answer]
