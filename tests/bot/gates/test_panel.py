import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from bot.domain.errors import ClusterError
from bot.domain.gate import Finding, GateAnswer, OnFail, Readiness
from bot.domain.rollout import Pool
from bot.engine.route_port import PoolHealth, PoolMembers
from bot.gates import pools_ready
from bot.gates.gate import Asked, Found, Gate, GateSources, Keys, RouteStatus
from bot.gates.panel import GatePanel
from tests.builders import NOON, READY, a_rollout, an_entry
from tests.handlers.fakes import Hand


@dataclass
class Pools:
    """Two pools whose health a test sets."""

    lack: str = ""
    error: ClusterError | None = None

    def health(self, stable: Pool, canary: Pool) -> PoolHealth:
        if self.error:
            raise self.error
        return PoolHealth(lack=self.lack, readiness=READY)

    def members(self, pool: Pool) -> PoolMembers:
        return PoolMembers(pool=pool, pods=())

    def least(self, pool: Pool) -> int | None:
        return None


class Limit(Keys):
    """A gate's keys with one of its own."""

    most: float = 1.0


@dataclass
class Probe:
    """A gate that counts how often it is asked, and answers what a test wants."""

    name: str
    says: Callable[[Asked, Any], Found] = lambda asked, keys: Found(answer=GateAnswer.PASS)
    asked: list[Asked] = field(default_factory=list)

    def gate(self, **more: Any) -> Gate:
        return Gate(name=self.name, about="anything", check=self.check, **more)

    def check(self, asked: Asked, keys: Keys) -> Found:
        self.asked.append(asked)
        return self.says(asked, keys)


@pytest.fixture
def latch() -> Iterator[threading.Event]:
    """Return what a gate that hangs waits for; it is let go at the end."""
    event = threading.Event()
    yield event
    event.set()


def panel(
    *gates: Gate, keys: dict[str, Keys] | None = None, within: float = 10, pools: Pools | None = None
) -> GatePanel:
    on = {gate.name: gate.keys() for gate in gates} if keys is None else keys
    return GatePanel(
        gates, on, GateSources(pools=pools or Pools(), routes=cast(RouteStatus, None)), Hand(), answer_within=within
    )


def test_every_gate_is_asked_with_the_rollout_and_its_own_keys() -> None:
    def over(asked: Asked, keys: Limit) -> Found:
        return Found(answer=GateAnswer.FAIL, reason=f"{asked.rollout.weight} is over {keys.most:g}.", evidence="10")

    limit, other = Probe("limit", over), Probe("other")
    keys = {"limit": Limit(most=9, on_fail=OnFail.PAUSE), "other": Keys()}
    asking = panel(limit.gate(keys=Limit), other.gate(), keys=keys)
    assert asking.check(an_entry()).findings == (
        Finding(gate="limit", answer=GateAnswer.FAIL, reason="10 is over 9.", evidence="10", on_fail=OnFail.PAUSE),
        Finding(gate="other", answer=GateAnswer.PASS),
    )
    assert limit.asked == [Asked(an_entry(), NOON, limit.asked[0].sources)]


def test_a_gate_that_the_policy_does_not_name_is_off_unless_it_is_required() -> None:
    off, required = Probe("off"), Probe("required")
    verdict = panel(off.gate(), required.gate(required=True), keys={}).check(an_entry())
    assert ([finding.gate for finding in verdict.findings], off.asked) == (["required"], [])


def test_between_steps_only_the_gates_for_that_are_asked() -> None:
    holds, fails = Probe("holds"), Probe("fails")
    asking = panel(holds.gate(), fails.gate(asked_between_steps=True))
    verdict = asking.check_between_steps(an_entry())
    assert (asking.asks_between_steps, [finding.gate for finding in verdict.findings], holds.asked) == (
        True,
        ["fails"],
        [],
    )
    assert not panel(holds.gate()).asks_between_steps


def test_a_gate_that_cannot_ask_the_cluster_says_so() -> None:
    def away(asked: Asked, keys: Keys) -> Found:
        raise ClusterError("The API server does not answer.")

    verdict = panel(Probe("split", away).gate()).check(an_entry())
    assert verdict.findings == (
        Finding(gate="split", answer=GateAnswer.HOLD, reason="The API server does not answer."),
    )


def test_gates_are_asked_side_by_side() -> None:
    both = threading.Barrier(2, timeout=5)

    def meet(asked: Asked, keys: Keys) -> Found:
        both.wait()
        return Found(answer=GateAnswer.PASS)

    verdict = panel(Probe("one", meet).gate(), Probe("two", meet).gate()).check(an_entry())
    assert verdict.answer is GateAnswer.PASS


def test_a_gate_that_gives_no_answer_in_time_holds_and_the_others_count(latch: threading.Event) -> None:
    def hang(asked: Asked, keys: Keys) -> Found:
        latch.wait()
        return Found(answer=GateAnswer.PASS)

    verdict = panel(Probe("slow", hang).gate(), Probe("quick").gate(), within=0.05).check(an_entry())
    assert verdict.findings == (
        Finding(
            gate="slow",
            answer=GateAnswer.HOLD,
            reason="The gate `slow` gave no answer within 0.05 seconds; I ask it again.",
        ),
        Finding(gate="quick", answer=GateAnswer.PASS),
    )


def test_a_gate_that_still_thinks_about_a_decision_is_not_asked_again_beside_that(latch: threading.Event) -> None:
    def hang(asked: Asked, keys: Keys) -> Found:
        latch.wait()
        return Found(answer=GateAnswer.PASS)

    slow = Probe("slow", hang)
    asking = panel(slow.gate(), within=0.05)
    with ThreadPoolExecutor(4) as people:
        list(people.map(asking.check, [an_entry()] * 4))
    assert len(slow.asked) == 1
    asking.check(an_entry(a_rollout(decision="another")))
    assert len(slow.asked) == 2
    latch.set()
    assert asking.check(an_entry()).answer is GateAnswer.PASS


def test_a_check_that_returns_nothing_holds() -> None:
    def forget(asked: Asked, keys: Keys) -> Any:
        return None

    assert panel(Probe("empty", forget).gate()).check(an_entry()).reason == (
        "The gate `empty` broke; the bot's log says how."
    )


def test_a_gate_that_breaks_holds_and_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    def break_(asked: Asked, keys: Keys) -> Found:
        raise ZeroDivisionError

    verdict = panel(Probe("broken", break_).gate()).check(an_entry())
    assert (verdict.answer, verdict.reason) == (GateAnswer.HOLD, "The gate `broken` broke; the bot's log says how.")
    assert [(record.getMessage(), bool(record.exc_info)) for record in caplog.records] == [("gate broken broke", True)]


@pytest.mark.parametrize(
    ("pools", "answer", "reason", "readiness"),
    [
        (Pools(), GateAnswer.PASS, "", READY),
        (Pools(lack="It has no pod."), GateAnswer.HOLD, "It has no pod.", READY),
        (Pools(error=ClusterError("No answer.", hint="Wait.")), GateAnswer.HOLD, "No answer. Wait.", None),
    ],
)
def test_the_pools_are_always_asked_and_no_answer_of_the_cluster_is_a_hold(
    pools: Pools, answer: GateAnswer, reason: str, readiness: Readiness | None
) -> None:
    verdict = panel(pools_ready.GATE, keys={}, pools=pools).check(an_entry())
    assert (verdict.answer, verdict.reason, verdict.readiness) == (answer, reason, readiness)
