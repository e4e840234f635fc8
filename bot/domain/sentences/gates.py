"""What the gates said last: what they saw, and why a rollout waits for them."""

from bot.domain.gate import GateAnswer, Verdict
from bot.domain.prose import Prose, joined, said, say
from bot.domain.rollout import Acceptance, Entry, Phase


def hold_reason(entry: Entry) -> str:
    """Say why gates hold it, as they said last: a number in it may have changed since the hold was decided."""
    findings = Verdict(findings=entry.findings)
    is_same = findings.answer is not GateAnswer.PASS and findings.gates == entry.rollout.held_by
    return findings.reason if is_same else entry.rollout.why


def evidence(entry: Entry) -> Prose:
    """Say what the gates saw, a few words for each; empty if none has any, or nobody asks them any more."""
    seen = [finding for finding in entry.findings if finding.evidence and not entry.rollout.is_over]
    return joined("  ·  ", (say("{}: {}", finding.gate, said(finding.evidence, 100)) for finding in seen))


def keeps_stable(entry: Entry) -> str:
    """Say why a bake that is over has not dropped the old pool; empty if it bakes."""
    is_listening = not entry.is_applied or entry.acceptance is Acceptance.WAITING
    if entry.rollout.phase is not Phase.PROMOTED or entry.step_due is not None or is_listening:
        return ""
    return Verdict(findings=entry.findings).reason
