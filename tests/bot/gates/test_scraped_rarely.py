"""Gates where Prometheus scrapes every 15 to 60 seconds, each program at another moment."""

from typing import Any

import pytest

from bot.domain.gate import GateAnswer
from bot.gates import errors, latency, saturation, split
from tests.bot.gates.scraped import Cluster, Program, a_server
from tests.builders import NOON

GATES = [errors.GATE, split.GATE, latency.GATE, saturation.GATE]
SEEDS = range(2)
AT = NOON.timestamp()


@pytest.mark.parametrize("every", [1, 15, 30, 60])
@pytest.mark.parametrize("pickers", [True, False], ids=["pickers scraped", "pickers not scraped"])
def test_a_healthy_pool_never_fails(every: float, pickers: bool) -> None:
    for seed in SEEDS:
        assert Cluster(old=4, new=2, rate=4, every=every, seed=seed, pickers=pickers).fails(*GATES) == []


@pytest.mark.parametrize("every", [15, 30, 60])
def test_a_healthy_pool_passes_in_the_end(every: float) -> None:
    cluster = Cluster(old=4, new=2, rate=6, every=every, seed=1)
    assert [cluster.ask(gate, 600).answer for gate in GATES] == [GateAnswer.PASS] * len(GATES)


def test_while_programs_were_scraped_too_seldom_it_says_so() -> None:
    reason = Cluster(old=4, new=2, rate=6, every=60, seed=1).ask(errors.GATE, 120).reason
    assert reason.startswith("I wait for 4 scrapes since the weights changed; Prometheus takes about ")


@pytest.mark.parametrize("every", [15, 30])
def test_a_pool_that_fails_a_tenth_is_caught(every: float) -> None:
    def bad(*server: Any) -> Program:
        return a_server(*server, fails=lambda at: int(at * 1000) % 10 == 0)

    assert Cluster(old=4, new=2, rate=20, every=every, seed=1, server=bad).fails(errors.GATE)


@pytest.mark.parametrize("every", [15, 30, 60])
@pytest.mark.parametrize("seconds", [45, 60])
def test_one_bad_minute_is_no_roll_back(every: float, seconds: float) -> None:
    for begin in (290, 365):

        def bad(*server: Any, begin: float = begin) -> Program:
            return a_server(
                *server, fails=lambda at: AT + begin < at < AT + begin + seconds and int(at * 1000) % 2 == 0
            )

        for seed in SEEDS:
            assert (
                Cluster(old=3, new=2, rate=10, every=every, seed=seed, server=bad).fails(errors.GATE, until=840) == []
            )


def test_a_gateway_that_needs_two_minutes_and_a_half_is_waited_for() -> None:
    for seed in SEEDS:
        assert Cluster(old=4, new=2, rate=10, every=15, seed=seed, late=150).fails(split.GATE) == []


def test_a_gateway_that_never_takes_the_weights_is_named() -> None:
    (first, *_) = Cluster(old=4, new=2, rate=10, every=15, seed=1, late=10_000).fails(split.GATE)
    assert first.endswith("and none to the new one, at a weight of 10 %: it does not take the weights.")


def test_a_pod_that_is_not_scraped_is_not_taken_for_requests_without_an_answer() -> None:
    cluster = Cluster(old=4, new=3, rate=10, every=15, seed=1)
    cluster.programs = [each for each in cluster.programs if each.labels.get("pod") not in ("new-1", "new-2")]
    assert cluster.fails(errors.GATE) == []
    assert cluster.ask(errors.GATE, 400).answer is GateAnswer.HOLD


def test_pods_that_leave_are_not_taken_for_requests_without_an_answer() -> None:
    assert Cluster(old=4, new=3, rate=10, every=15, seed=1, leave=400).fails(*GATES, until=840) == []


def test_long_answers_that_end_at_the_old_pool_are_no_leak() -> None:
    def slow(*server: Any) -> Program:
        return a_server(*server, whole=150)

    assert Cluster(old=4, new=2, rate=10, every=15, seed=1, weight=100, server=slow).fails(split.GATE) == []
