"""Gates between steps, on the real API server and Valkey."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import pytest

from bot.domain.errors import ClusterError, TransitionError
from bot.domain.gate import Finding, GateAnswer, OnFail
from bot.domain.rollout import Phase
from bot.gates.gate import Asked, Found, Gate, Keys
from bot.gates.registry import added
from bot.service.parts import Parts
from tests.builders import CANARY, STABLE
from tests.stage import Stage

AT_0, AT_10, AT_25 = [(STABLE, 1)], [(STABLE, 90), (CANARY, 10)], [(STABLE, 75), (CANARY, 25)]
PASSED = Found(answer=GateAnswer.PASS)
DOUBLED = Found(answer=GateAnswer.FAIL, reason="5xx doubled.", evidence="5xx 4.1 %")


@dataclass
class Errors:
    """A gate whose answer a test sets."""

    found: Found = PASSED
    asked: list[int] = field(default_factory=list)

    def check(self, asked: Asked, keys: Keys) -> Found:
        self.asked.append(asked.rollout.weight)
        return self.found

    @property
    def gate(self) -> Gate:
        return Gate(name="error_rate", about="error_rate", check=self.check, asked_between_steps=True)


@pytest.fixture
def errors(stage: Stage) -> Iterator[Errors]:
    """Put the gate into the stage's replica."""
    errors = Errors()
    with added(errors.gate):
        switch_on(stage, OnFail.ROLL_BACK)
        yield errors


def switch_on(stage: Stage, on_fail: OnFail, *names: str) -> Parts:
    stage.policy = replace(stage.policy, gates={name: Keys(on_fail=on_fail) for name in names or ("error_rate",)})
    stage.parts = stage.replica()
    return stage.parts


def test_a_gate_that_fails_between_steps_rolls_back_without_waiting_for_the_next_step(
    stage: Stage, errors: Errors
) -> None:
    rollout_id = stage.started(10).rollout.id
    errors.found = DOUBLED
    stage.parts.gate_watch.sweep()
    entry = stage.load(rollout_id)
    assert (entry.rollout.phase, entry.rollout.why, stage.world.weights()) == (Phase.ROLLED_BACK, "5xx doubled.", AT_0)
    assert stage.events(rollout_id) == ["started", "rolled_back"]


def test_a_gate_that_fails_between_steps_pauses_where_the_policy_says_so(stage: Stage, errors: Errors) -> None:
    switch_on(stage, OnFail.PAUSE)
    rollout_id = stage.started(10).rollout.id
    errors.found = DOUBLED
    stage.parts.gate_watch.sweep()
    entry = stage.load(rollout_id)
    assert (entry.rollout.phase, entry.rollout.why, stage.world.weights()) == (Phase.PAUSED, "5xx doubled.", AT_10)


def test_findings_between_steps_are_kept_for_the_card_and_decide_nothing(stage: Stage, errors: Errors) -> None:
    before = stage.started(10)
    errors.found = Found(answer=GateAnswer.HOLD, reason="No requests yet.", evidence="0 requests")
    stage.parts.gate_watch.sweep()
    after = stage.load(before.rollout.id)
    assert after == replace(
        before,
        findings=(
            Finding(gate="error_rate", answer=GateAnswer.HOLD, reason="No requests yet.", evidence="0 requests"),
        ),
    )
    assert (stage.events(before.rollout.id), stage.world.weights()) == (["started"], AT_10)


def test_a_card_changes_for_an_answer_and_not_for_a_figure(stage: Stage, errors: Errors) -> None:
    rollout_id = stage.started(10).rollout.id

    def redraws(answer: GateAnswer, evidence: str) -> bool:
        stage.store.clean(rollout_id, stage.store.dirty(10).get(rollout_id, ""))
        errors.found = Found(answer=answer, reason=evidence, evidence=evidence)
        stage.parts.gate_watch.look(stage.load(rollout_id))
        return rollout_id in stage.store.dirty(10)

    looks = [(GateAnswer.PASS, "0 errors"), (GateAnswer.PASS, "1 error"), (GateAnswer.HOLD, "2 errors")]
    assert [redraws(*each) for each in (*looks, (GateAnswer.HOLD, "3 errors"))] == [True, False, True, False]


def test_what_other_gates_said_stays(stage: Stage, errors: Errors) -> None:
    rollout_id = stage.started(10).rollout.id
    stage.clock.forward(minutes=10)
    stage.ticker.tick(rollout_id)
    stage.parts.gate_watch.sweep()
    assert [finding.gate for finding in stage.load(rollout_id).findings] == ["pools_ready", "gateway", "error_rate"]


def test_what_gates_said_stays_in_its_order(stage: Stage, errors: Errors) -> None:
    later = Errors(Found(answer=GateAnswer.PASS, evidence="0 waiting"))
    waiting = replace(later.gate, name="waiting", asked_between_steps=False)
    with added(waiting), added(replace(errors.gate, name="later")):
        switch_on(stage, OnFail.ROLL_BACK, "error_rate", "waiting", "later")
        rollout_id = stage.started(10).rollout.id
        stage.clock.forward(minutes=10)
        stage.ticker.tick(rollout_id)
        before = [finding.gate for finding in stage.load(rollout_id).findings]
        stage.parts.gate_watch.sweep()
    assert before == ["pools_ready", "gateway", "error_rate", "waiting", "later"]
    assert [finding.gate for finding in stage.load(rollout_id).findings] == before


def test_a_paused_rollout_is_left_to_people(stage: Stage, errors: Errors) -> None:
    rollout_id = stage.started(10).rollout.id
    stage.say("pause")
    errors.found, errors.asked = DOUBLED, []
    stage.parts.gate_watch.sweep()
    assert (stage.load(rollout_id).rollout.phase, errors.asked) == (Phase.PAUSED, [])


def test_where_no_gate_that_can_fail_is_on_nothing_is_asked(stage: Stage, errors: Errors) -> None:
    stage.policy = replace(stage.policy, gates={})
    stage.parts = stage.replica()
    stage.started(10)
    stage.memory.calls.clear()
    stage.parts.gate_watch.sweep()
    assert (stage.memory.calls, errors.asked) == ([], [])


def test_a_roll_back_asks_no_gate(stage: Stage, errors: Errors) -> None:
    stage.started(10)
    errors.asked.clear()
    stage.say("rollback")
    assert (errors.asked, stage.world.weights()) == ([], AT_0)


def test_a_fail_is_not_decided_on_a_record_that_has_moved_meanwhile(stage: Stage, errors: Errors) -> None:
    rollout_id = stage.started(10).rollout.id
    errors.found = DOUBLED
    stage.memory.before("save", lambda: stage.elsewhere("pause"))
    stage.parts.gate_watch.sweep()
    assert (stage.load(rollout_id).rollout.phase, stage.world.weights()) == (Phase.PAUSED, AT_10)


def test_a_fail_while_the_pools_cannot_be_counted_pauses(stage: Stage, errors: Errors) -> None:
    def silent() -> None:
        raise ClusterError("The API server did not answer.")

    rollout_id = stage.started(10).rollout.id
    errors.found = DOUBLED
    stage.routes.before("readiness", silent)
    stage.parts.gate_watch.sweep()
    entry = stage.load(rollout_id)
    assert (entry.rollout.phase, entry.rollout.why) == (
        Phase.PAUSED,
        "5xx doubled. I did not roll it back: nobody knows whether the old pool can serve.",
    )


def test_a_hold_whose_number_changes_is_the_same_hold(stage: Stage, errors: Errors) -> None:
    """The card is drawn again; nothing is decided or written, and that it lasts is told once."""
    rollout_id = stage.started(10).rollout.id
    errors.found = Found(answer=GateAnswer.HOLD, reason="5xx is 2.31 %.")
    stage.pass_time(minutes=10)
    held, route = stage.load(rollout_id), stage.copy()
    assert (held.rollout.phase, held.rollout.why, held.rollout.held_by) == (
        Phase.HOLDING,
        "5xx is 2.31 %.",
        ("error_rate",),
    )

    errors.found = Found(answer=GateAnswer.HOLD, reason="5xx is 2.32 %.")
    mark = stage.store.dirty(10)[rollout_id]
    stage.pass_time(seconds=30)
    later = stage.load(rollout_id)
    assert (later.rollout, later.findings[-1].reason) == (held.rollout, "5xx is 2.32 %.")
    assert (stage.copy(), stage.events(rollout_id)) == (route, ["started", "held", "held_on"])
    assert stage.store.dirty(10)[rollout_id] != mark


def test_a_step_waits_until_the_gate_passes(stage: Stage, errors: Errors) -> None:
    rollout_id = stage.started(10).rollout.id
    errors.found = Found(answer=GateAnswer.HOLD, reason="5xx is 2.31 %.")
    stage.pass_time(minutes=10)
    errors.found = PASSED
    stage.pass_time(seconds=30)
    assert (stage.load(rollout_id).rollout.weight, stage.world.weights()) == (25, AT_25)


@pytest.mark.parametrize("verb", ["advance", "promote"])
def test_a_person_cannot_raise_over_a_gate_that_fails(stage: Stage, errors: Errors, verb: str) -> None:
    stage.started(10)
    errors.found = DOUBLED
    with pytest.raises(TransitionError) as refused:
        stage.say(verb)
    assert str(refused.value) == "5xx doubled. Traffic stays as it is; try again when that is fixed."
    assert stage.world.weights() == AT_10
