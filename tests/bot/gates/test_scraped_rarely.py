"""Gates where Prometheus scrapes every 15 to 60 seconds, each program at another moment."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.domain.gate import GateAnswer
from bot.gates import errors, latency, saturation, split
from bot.gates.numbers.numbers import Numbers
from tests.bot.gates.scraped import RULES, Cluster, Program, a_server
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
    assert reason == (
        "It is too early to judge: Prometheus has to scrape every model server and picker four times, "
        "once caches are warm."
    )


@pytest.mark.parametrize("every", [15, 30])
def test_a_pool_that_fails_a_tenth_is_caught(every: float) -> None:
    def bad(*server: Any) -> Program:
        return a_server(*server, fails=lambda at: int(at * 1000) % 10 == 0)

    assert Cluster(old=4, new=2, rate=20, every=every, seed=1, server=bad).fails(errors.GATE)


@pytest.mark.parametrize("every", [15, 30, 60])
@pytest.mark.parametrize("seconds", [45, 60])
def test_one_bad_minute_is_no_roll_back(every: float, seconds: float) -> None:
    for begin in (0, 290, 365):

        def bad(*server: Any, begin: float = begin) -> Program:
            return a_server(
                *server, fails=lambda at: AT + begin < at < AT + begin + seconds and int(at * 1000) % 2 == 0
            )

        for seed in SEEDS:
            assert (
                Cluster(old=3, new=2, rate=10, every=every, seed=seed, server=bad).fails(errors.GATE, until=840) == []
            )


@pytest.mark.parametrize("every", [15, 30])
def test_5xx_that_ended_while_caches_were_cold_are_no_roll_back(every: float) -> None:
    def bad(*server: Any) -> Program:
        return a_server(*server, fails=lambda at: AT < at < AT + 110 and int(at * 1000) % 2 == 0)

    for seed in SEEDS:
        cluster = Cluster(old=3, new=2, rate=10, every=every, seed=seed, server=bad)
        cluster.numbers = Numbers(cluster, cluster, replace(RULES, settle=timedelta(minutes=2)))
        assert cluster.fails(errors.GATE) == []


@pytest.mark.parametrize("pickers", [True, False], ids=["pickers scraped", "pickers not scraped"])
def test_a_pool_whose_bad_model_servers_are_not_scraped_does_not_pass(pickers: bool) -> None:
    cluster = Cluster(old=4, new=4, rate=20, every=15, seed=1, pickers=pickers)
    cluster.programs = [each for each in cluster.programs if each.labels.get("pod") not in ("new-2", "new-3")]
    found = [cluster.ask(gate, 600) for gate in (errors.GATE, latency.GATE, saturation.GATE)]
    assert {(each.answer, each.reason) for each in found} == {
        (GateAnswer.HOLD, "Prometheus scrapes 2 of the new pool's 4 model servers. Let it scrape all.")
    }


@pytest.mark.parametrize("every", [15, 30, 60])
def test_the_prompts_of_a_warm_up_are_no_evidence(every: float) -> None:
    def warmed(pod: str, arrivals: Sequence[float], *more: Any) -> Program:
        return a_server(pod, sorted([*arrivals, *(AT + 280 + number / 10 for number in range(190))]), *more)

    ended = NOON + timedelta(seconds=300)
    for seed in SEEDS:
        cluster = Cluster(old=4, new=2, rate=10, every=every, seed=seed, server=warmed)
        window = cluster.numbers.window(cluster.entry(), NOON + timedelta(seconds=660), ended)
        users = sum(at > ended.timestamp() - 1 for pod in cluster.pods["new"] for at in cluster.arrivals[pod])
        assert 0 < window.canary().answered <= users


def test_a_model_server_that_is_not_ready_is_not_waited_for() -> None:
    cluster = Cluster(old=4, new=4, rate=20, every=15, seed=1)
    (one,) = [each for each in cluster.programs if each.labels.get("pod") == "new-3"]
    cluster.programs = [each for each in cluster.programs if each is not one] + [replace(one, down=AT + 300)]
    cluster.pending = ("new-3",)
    assert cluster.ask(errors.GATE, 420).answer is GateAnswer.PASS


def test_after_a_gap_nothing_is_judged_by_what_was_before_it() -> None:
    def bad(*server: Any) -> Program:
        return a_server(*server, fails=lambda at: at > AT + 310)

    cluster = Cluster(old=4, new=2, rate=20, every=15, seed=1, server=bad)
    cluster.programs = [replace(each, gap=(AT + 300, AT + 640)) for each in cluster.programs]
    assert {cluster.ask(errors.GATE, seconds).answer for seconds in (660, 675, 690, 705)} == {GateAnswer.HOLD}
    assert cluster.ask(errors.GATE, 750).answer is GateAnswer.FAIL


def test_very_many_pods_are_judged_as_soon_as_few() -> None:
    def bad(*server: Any) -> Program:
        return a_server(*server, fails=lambda at: at > AT)

    cluster = Cluster(old=180, new=60, rate=100, every=15, seed=1, server=bad)
    cluster.numbers = Numbers(cluster, cluster, replace(RULES, settle=timedelta(minutes=5)))
    assert cluster.ask(errors.GATE, 400).answer is GateAnswer.FAIL


def test_a_gateway_that_needs_two_minutes_and_a_half_is_waited_for() -> None:
    for seed in SEEDS:
        assert Cluster(old=4, new=2, rate=10, every=15, seed=seed, late=150).fails(split.GATE) == []


def test_a_gateway_that_never_takes_the_weights_is_named() -> None:
    (first, *_) = Cluster(old=4, new=2, rate=10, every=15, seed=1, late=10_000).fails(split.GATE)
    assert first.endswith("and none to the new one, at a weight of 10 %: it does not take the weights. " + split.THEN)


def test_a_pod_that_is_not_scraped_is_not_taken_for_requests_without_an_answer() -> None:
    cluster = Cluster(old=4, new=3, rate=10, every=15, seed=1)
    cluster.programs = [each for each in cluster.programs if each.labels.get("pod") not in ("new-1", "new-2")]
    assert cluster.fails(errors.GATE) == []
    assert cluster.ask(errors.GATE, 400).answer is GateAnswer.HOLD


def test_pods_that_leave_are_not_taken_for_requests_without_an_answer() -> None:
    assert Cluster(old=4, new=3, rate=10, every=15, seed=1, leave=400).fails(*GATES, until=840) == []


def test_a_bot_that_was_started_after_pods_left_does_not_miss_their_answers() -> None:
    for seed in SEEDS:
        cluster = Cluster(old=4, new=4, rate=10, every=15, seed=seed, leave=400, restart=435)
        assert cluster.fails(*GATES, until=840) == []


@pytest.mark.parametrize("every", [15, 30, 60])
def test_requests_that_begin_all_at_once_are_not_missed(every: float) -> None:
    for seed in range(6):
        for old, new in ((2, 1), (4, 2)):
            cluster = Cluster(old=old, new=new, rate=20, every=every, seed=seed, begin=400)
            assert cluster.fails(*GATES, until=600) == []


def test_a_pod_that_was_never_ready_is_not_waited_for() -> None:
    cluster = Cluster(old=4, new=2, rate=10, every=15, seed=1, pickers=False, pending=("old-3",))
    cluster.programs = [each for each in cluster.programs if each.labels.get("pod") != "old-3"]
    cluster.weight = 13  # of what the other pods get
    assert cluster.ask(split.GATE, 500).answer is GateAnswer.PASS


def test_a_window_that_is_too_short_for_the_scrapes_says_so() -> None:
    cluster = Cluster(old=2, new=1, rate=10, every=60, seed=1)
    cluster.numbers = Numbers(cluster, cluster, replace(RULES, window=timedelta(minutes=2)))
    reason = cluster.ask(errors.GATE, 600).reason
    assert reason == (
        "Prometheus scrapes some model server or picker fewer than four times in `evidence.window`: make that longer."
    )


def test_long_answers_that_end_at_the_old_pool_are_no_leak() -> None:
    def slow(*server: Any) -> Program:
        return a_server(*server, whole=150)

    assert Cluster(old=4, new=2, rate=10, every=15, seed=1, weight=100, server=slow).fails(split.GATE) == []
