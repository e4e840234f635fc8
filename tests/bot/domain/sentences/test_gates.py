"""What the card says of the gates."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.gate import Finding, GateAnswer
from bot.domain.prose import plain
from bot.domain.rollout import Phase
from bot.domain.sentences.gates import evidence, keeps_stable_until
from tests.builders import NOON, a_rollout, an_entry

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


@pytest.mark.parametrize(
    ("phase", "said"),
    [
        (Phase.PROGRESSING, "errors 0.0 % (old 0.0 %)\nThe old pool has room for all traffic"),
        (Phase.PAUSED, "Before the pause: errors 0.0 % (old 0.0 %)"),
        (Phase.FINISHED, ""),
        (Phase.ROLLED_BACK, ""),
    ],
)
def test_what_nobody_looks_at_any_more_is_not_told_as_if_it_were_so_now(phase: Phase, said: str) -> None:
    seen = replace(ERRORS, standing="The old pool has room for all traffic")
    entry = replace(an_entry(a_rollout(phase=phase)), findings=(seen,))
    assert plain(evidence(entry), str) == said


@pytest.mark.parametrize(("gate", "holds"), [("errors", timedelta(minutes=30)), ("quality", timedelta(hours=24))])
def test_a_bake_that_gates_hold_goes_on_for_as_long_as_people_are_waited_for(gate: str, holds: timedelta) -> None:
    rollout = a_rollout(phase=Phase.PROMOTED, step=3)
    entry = replace(an_entry(rollout), findings=(Finding(gate=gate, answer=GateAnswer.HOLD, reason="Wait."),))
    assert keeps_stable_until(entry) == NOON + rollout.plan.bake + holds
