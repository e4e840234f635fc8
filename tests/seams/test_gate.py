"""The seam of gates: one declaration, and the gate holds and fails, and Slack, a terminal and the help tell of it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Annotated, Any

import pytest

from bot.config.policy_values import number
from bot.domain.errors import RouteError
from bot.domain.gate import Figure, GateAnswer, OnFail
from bot.domain.rollout import Phase
from bot.gates.gate import Asked, Found, Gate, Keys
from bot.gates.registry import added, gates
from handlers.cards import draw
from tests.builders import CANARY, STABLE
from tests.handlers.records import ANYBODY
from tests.scenarios.front import Front
from tests.shell import Terminal
from tests.stage import Stage


class ErrorRateKeys(Keys):
    """``most``: percent of requests that may fail."""

    most: Annotated[float, number()] = 1.0


@dataclass
class ErrorRate:
    """A gate on a number that a test sets; None: nobody knows it."""

    percent: float | None = 0.2

    def check(self, asked: Asked, keys: ErrorRateKeys) -> Found:
        if self.percent is None:
            return Found(answer=GateAnswer.HOLD, reason="There were no requests.", evidence="no requests")
        evidence = f"{self.percent:g} % of requests failed"
        if self.percent <= keys.most:
            figures = (Figure("failed", f"{self.percent:g} %", "0.1 %"),)
            return Found(answer=GateAnswer.PASS, evidence=evidence, figures=figures)
        answer = GateAnswer.FAIL if self.percent > 2 * keys.most else GateAnswer.HOLD
        return Found(answer=answer, reason=f"{evidence}, more than {keys.most:g} %.", evidence=evidence)


@pytest.fixture
def error_rate() -> Iterator[ErrorRate]:
    error_rate = ErrorRate()
    about = "how many requests the new pool fails"
    gate = Gate(
        name="error_rate",
        about=about,
        check=error_rate.check,
        keys=ErrorRateKeys,
        asked_between_steps=True,
        judges_traffic=True,
    )
    with added(gate):
        yield error_rate
    assert "error_rate" not in [gate.name for gate in gates()]


@pytest.fixture
def on(stage: Stage, error_rate: ErrorRate) -> ErrorRate:
    """Have the policy switch it on."""
    stage.policy = replace(stage.policy, gates={"error_rate": ErrorRateKeys(most=1)})
    stage.parts = stage.replica()
    return error_rate


def test_it_holds_a_step_with_its_reason_and_lets_it_go_on(stage: Stage, on: ErrorRate) -> None:
    rollout_id = stage.started(10).rollout.id
    on.percent = 1.5
    stage.clock.forward(minutes=10)
    stage.ticker.tick(rollout_id)
    held = stage.load(rollout_id)
    assert (held.rollout.phase, held.rollout.why) == (Phase.HOLDING, "1.5 % of requests failed, more than 1 %.")
    on.percent = 0.5
    stage.clock.forward(minutes=1)
    stage.ticker.tick(rollout_id)
    assert stage.world.weights() == [(STABLE, 75), (CANARY, 25)]


def test_a_number_that_changes_in_its_reason_is_the_same_hold(stage: Stage, on: ErrorRate) -> None:
    rollout_id = stage.started(10).rollout.id
    stage.clock.forward(minutes=10)
    for on.percent in (1.5, 1.6, 1.7):
        stage.ticker.tick(rollout_id)
        stage.clock.forward(minutes=1)
    entry = stage.load(rollout_id)
    assert entry.rollout.why == "1.5 % of requests failed, more than 1 %."
    assert [finding.reason for finding in entry.findings if finding.gate == "error_rate"] == [
        "1.7 % of requests failed, more than 1 %."
    ]
    assert stage.events(rollout_id) == ["started", "held", "held_on"]


@pytest.mark.parametrize(("on_fail", "phase"), [(OnFail.ROLL_BACK, Phase.ROLLED_BACK), (OnFail.PAUSE, Phase.PAUSED)])
def test_its_fail_between_steps_leads_where_the_policy_says(
    stage: Stage, on: ErrorRate, on_fail: OnFail, phase: Phase
) -> None:
    stage.policy = replace(stage.policy, gates={"error_rate": ErrorRateKeys(on_fail=on_fail)})
    stage.parts = stage.replica()
    rollout_id = stage.started(10).rollout.id
    on.percent = 9
    stage.parts.gate_watch.sweep()
    rollout = stage.load(rollout_id).rollout
    assert (rollout.phase, rollout.why) == (phase, "9 % of requests failed, more than 1 %.")


def test_the_card_and_status_tell_what_it_saw(stage: Stage, on: ErrorRate, open_slack: Callable[[], Front]) -> None:
    rollout_id = stage.started(10).rollout.id
    stage.parts.gate_watch.sweep()
    card = draw(stage.load(rollout_id), ANYBODY, n=1)
    facts = next(block for block in card.blocks if block["block_id"].endswith(":facts"))
    assert "error_rate: 0.2 % of requests failed" in facts["elements"][0]["text"].split("\n")
    on.percent = None
    stage.clock.forward(minutes=10)
    stage.ticker.tick(rollout_id)
    assert "There were no requests." in open_slack().acknowledged("why")


def test_gates_shows_every_gate_now_with_what_it_saw(
    stage: Stage, on: ErrorRate, open_slack: Callable[[], Front], open_terminal: Callable[[], Terminal]
) -> None:
    stage.started(10)
    on.percent = 1.5
    (_, said) = open_slack().types("gates")
    assert said.split("\n") == [
        f"*The gates of `{CANARY}` now*",
        "",
        "✅ pass  `pools_ready`, `gateway`",
        "",
        "⏳ *hold*  `error_rate`: 1.5 % of requests failed",
        "1.5 % of requests failed, more than 1 %.",
    ]
    terminal = open_terminal()
    terminal.write_policy("gates:\n  error_rate: {}\n")
    code, told = terminal("gates", CANARY)
    assert (code, "hold  `error_rate`: 1.5 % of requests failed" in told) == (0, True), told


def test_of_a_rollout_that_is_over_nobody_asks_the_gates(
    stage: Stage, on: ErrorRate, open_slack: Callable[[], Front]
) -> None:
    stage.started(10)
    stage.say("rollback", reason="too slow")
    (_, said) = open_slack().types(f"gates {CANARY}")
    assert said == f"`{CANARY}` is over; nobody asks its gates any more. It was rolled back: too slow."


def test_of_a_rollout_that_is_finished_nobody_asks_the_gates(
    stage: Stage, on: ErrorRate, open_slack: Callable[[], Front]
) -> None:
    stage.started(100)
    stage.say("finish")
    (_, said) = open_slack().types(f"gates {CANARY}")
    assert said == f"`{CANARY}` is finished; nobody asks its gates any more."


def test_it_is_switched_off_by_name(stage: Stage, on: ErrorRate) -> None:
    stage.policy = replace(stage.policy, gates={"error_rate": ErrorRateKeys(enabled=False)})
    stage.parts = stage.replica()
    rollout_id = stage.started(10).rollout.id
    on.percent = 9
    stage.parts.gate_watch.sweep()
    assert stage.load(rollout_id).rollout.phase is Phase.PROGRESSING


def test_the_thread_shows_its_figures_beside_the_decision(stage: Stage, on: ErrorRate) -> None:
    rollout_id = stage.started(10).rollout.id
    stage.clock.forward(minutes=10)
    stage.ticker.tick(rollout_id)
    (_, stepped) = stage.store.events(rollout_id, 0)
    assert (stepped.kind.value, stepped.figures) == ("stepped", (Figure("failed", "0.2 %", "0.1 %"),))


def test_a_raise_by_hand_is_refused_in_its_words(stage: Stage, on: ErrorRate, open_slack: Callable[[], Front]) -> None:
    stage.started(10)
    on.percent = 1.5
    (said,) = open_slack().types("advance")
    assert "1.5 % of requests failed, more than 1 %." in said


def test_a_start_needs_no_requests_on_the_new_pool(stage: Stage, on: ErrorRate) -> None:
    on.percent = None
    assert stage.started(10).rollout.phase is Phase.PROGRESSING


def test_a_gate_that_judges_more_than_traffic_is_asked_before_the_first_weight(stage: Stage) -> None:
    def closed(asked: Asked, keys: Keys) -> Found:
        return Found(answer=GateAnswer.HOLD, reason="Nothing is rolled out on a Friday.")

    with added(Gate(name="calendar", about="the day of the week", check=closed, required=True)):
        stage.parts = stage.replica()
        rollout = stage.start(10).rollout
    assert (rollout.phase, rollout.step, rollout.held_by, rollout.why) == (
        Phase.HOLDING,
        -1,
        ("calendar",),
        "Nothing is rolled out on a Friday.",
    )
    assert stage.world.weights() == [(STABLE, 1)]


def test_a_gate_that_fails_the_first_weight_refuses_the_start(stage: Stage) -> None:
    def closed(asked: Asked, keys: Keys) -> Found:
        return Found(answer=GateAnswer.FAIL, reason="Nothing is rolled out this year.")

    with added(Gate(name="calendar", about="the year", check=closed, required=True, asked_between_steps=True)):
        stage.parts = stage.replica()
        with pytest.raises(RouteError) as refused:
            stage.start(10)
    assert str(refused.value) == (
        "Nothing is rolled out this year. Nothing was started; start it again when that is fixed."
    )
    assert stage.world.weights() == [(STABLE, 1)]


def test_a_roll_back_never_asks_it(stage: Stage, on: ErrorRate) -> None:
    stage.started(10)
    on.percent = 9
    stage.say("rollback")
    assert stage.world.weights() == [(STABLE, 1)]


def test_help_lists_it_where_it_is_on(stage: Stage, on: ErrorRate, open_slack: Callable[[], Front]) -> None:
    assert open_slack().acknowledged("help").split("\n\n")[-1] == (
        "Checked before every step up:\n"
        "`pools_ready`: the new pool is there, and its endpoint picker and a model server are ready\n"
        "`gateway`: the gateway does not say that its data plane lacks the route\n"
        "`error_rate`: how many requests the new pool fails"
    )


def test_help_lists_it_not_where_it_is_off(error_rate: ErrorRate, open_slack: Callable[[], Front]) -> None:
    assert "error_rate" not in open_slack().acknowledged("help")


def test_a_terminal_asks_it_and_tells_of_it(stage: Stage, on: ErrorRate, open_terminal: Callable[[], Terminal]) -> None:
    stage.started(10)
    stage.parts.gate_watch.sweep()
    terminal = open_terminal()
    terminal.write_policy("gates:\n  error_rate:\n    most: 0.1\n")
    code, said = terminal("status", CANARY)
    assert (code, "gates: error_rate: 0.2 % of requests failed" in said.splitlines()) == (0, True)
    told: Any = terminal.json("status", CANARY)["rollouts"]
    finding = {"gate": "error_rate", "answer": "pass", "reason": "", "evidence": "0.2 % of requests failed"}
    assert finding in told[0]["gates"]
    refused = terminal.json("advance", CANARY)
    assert refused["outcome"] == "refused"
    assert "0.2 % of requests failed, more than 0.1 %." in str(refused["message"])
    assert "`error_rate`: how many requests the new pool fails" in terminal("help")[1].splitlines()


@pytest.mark.parametrize(
    ("yaml", "mistake"),
    [
        ("most: many", "gates.error_rate.most: `many` is not a number of zero or more."),
        ("least: 3", "gates.error_rate: `least` is not a key; the keys here are `enabled`, `on_fail`, `most`."),
        ("on_fail: explode", "gates.error_rate.on_fail: `explode` is not `rollback` or `pause`."),
    ],
)
def test_its_keys_are_read_and_explained(
    error_rate: ErrorRate, open_terminal: Callable[[], Terminal], yaml: str, mistake: str
) -> None:
    terminal = open_terminal()
    terminal.write_policy(f"gates:\n  error_rate:\n    {yaml}\n")
    code, said = terminal("status")
    assert (code, f"policy.yaml:4: {mistake}" in said) == (2, True), said


def test_a_name_is_taken_once() -> None:
    with pytest.raises(ValueError, match="There is a gate `pools_ready` already"), added(gates()[0]):
        pass
