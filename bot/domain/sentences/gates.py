"""What the gates said last: what they saw, and why a rollout waits for them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from bot.domain.deadlines import hold_lasts
from bot.domain.gate import Finding, GateAnswer, Verdict, strictest
from bot.domain.prose import Prose, joined, said, say
from bot.domain.rollout import SLOTLESS, Acceptance, Entry, Phase


def hold_reason(entry: Entry) -> str:
    """Say why gates hold it, as they said last: a number in it may have changed since the hold was decided."""
    findings = Verdict(findings=entry.findings)
    is_same = findings.answer is not GateAnswer.PASS and findings.gates == entry.rollout.held_by
    return findings.reason if is_same else entry.rollout.why


def evidence(entry: Entry) -> Prose:
    """Say what the strictest gate saw, or that all pass, and what is always told; empty if nobody asks any more.

    Of a paused rollout nobody asks either: it is said that this was before the pause.
    """
    if entry.rollout.phase in SLOTLESS:
        return Prose()
    seen = [finding for finding in entry.findings if finding.evidence]
    if entry.rollout.phase is Phase.PAUSED:
        return say("Before the pause: {}", _strictest(seen)) if seen else Prose()
    standing = [said(finding.standing, 200) for finding in entry.findings if finding.standing]
    return joined("\n", (_strictest(seen), *standing))


def _strictest(seen: Sequence[Finding]) -> Prose:
    answer = strictest(seen)
    if not seen or (answer is GateAnswer.PASS and len(seen) > 1):
        first = say(": {}", said(seen[0].evidence, 100)) if seen else Prose()
        return say("{} gates pass{}", len(seen), first) if seen else Prose()
    worst = next(finding for finding in seen if finding.answer is answer)
    named = worst.evidence.startswith(worst.gate.partition("_")[0])
    told = said(worst.evidence, 100) if named else say("{}: {}", worst.gate, said(worst.evidence, 100))
    return say("{}{}", _MARKS.get(answer, Prose()), told)


def keeps_stable_until(entry: Entry) -> datetime:
    """Return when a rollout pauses whose bake is over and whose gates still hold it."""
    holds = hold_lasts(Verdict(findings=entry.findings).gates)
    return entry.rollout.since + entry.rollout.plan.bake + holds


_MARKS: Final = {GateAnswer.FAIL: say("⛔ "), GateAnswer.HOLD: say("⏳ ")}


def keeps_stable(entry: Entry) -> str:
    """Say why a bake that is over has not dropped the old pool; empty if it bakes."""
    is_listening = not entry.is_applied or entry.acceptance is Acceptance.WAITING
    if entry.rollout.phase is not Phase.PROMOTED or entry.step_due is not None or is_listening:
        return ""
    return Verdict(findings=entry.findings).reason
