"""What the card says of the gates."""

from dataclasses import replace

import pytest

from bot.domain.gate import Finding, GateAnswer
from bot.domain.prose import plain
from bot.domain.sentences.gates import evidence
from tests.builders import a_rollout, an_entry

ERRORS = Finding(gate="errors", answer=GateAnswer.PASS, evidence="errors 0.0 % (old 0.0 %)")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (GateAnswer.PASS, "2 gates pass: errors 0.0 % (old 0.0 %)"),
        (GateAnswer.HOLD, "⏳ latency: first token p95 170 ms (old 68 ms)"),
        (GateAnswer.FAIL, "⛔ latency: first token p95 170 ms (old 68 ms)"),
    ],
)
def test_the_strictest_gate_is_marked_and_told(answer: GateAnswer, said: str) -> None:
    latency = Finding(gate="latency", answer=answer, evidence="first token p95 170 ms (old 68 ms)")
    entry = replace(an_entry(a_rollout()), findings=(ERRORS, latency))
    assert plain(evidence(entry), str) == said
