"""Gates where requests count in odd ways: users who stop, requests with many prompts, answers without a token."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from bot.domain.gate import GateAnswer
from bot.gates import errors, latency, saturation, split
from tests.bot.gates.scraped import Cluster, a_server
from tests.builders import NOON

GATES = [errors.GATE, split.GATE, latency.GATE, saturation.GATE]
AT = NOON.timestamp()


def a_twentieth(at: float) -> bool:
    return int(at * 1000) % 20 == 0


def a_third(at: float) -> bool:
    return int(at * 1000) % 3 == 0


def cluster(**more: Any) -> Cluster:
    return Cluster(**{"old": 4, "new": 2, "rate": 10, "every": 15, "seed": 1, "weight": 20, **more})


STOPPED = partial(a_server, stops=a_twentieth, whole=4.0)


@pytest.mark.parametrize("is_sglang", [False, True], ids=["vLLM before", "SGLang before"])
def test_users_who_stop_roll_nothing_back_whichever_engine_counts_them(is_sglang: bool) -> None:
    pools = cluster(server=STOPPED, old_server=partial(STOPPED, is_sglang=is_sglang))
    assert pools.fails(*GATES) == []
    assert pools.ask(errors.GATE, 600).answer is GateAnswer.PASS


def test_streams_that_the_new_pool_cuts_fail_it() -> None:
    assert cluster(server=partial(a_server, stops=a_third, whole=4.0)).fails(errors.GATE)


@pytest.mark.parametrize("prompts", [64, 128])
def test_one_user_who_stops_a_request_with_many_prompts_rolls_nothing_back(prompts: int) -> None:
    pools = cluster()
    (at,) = [at for at in pools.arrivals["new-0"] if at > AT + 200][:1]

    def batch(*server: Any) -> Any:
        return a_server(*server, stops=at.__eq__, prompts=lambda each: prompts if each == at else 1, whole=20.0)

    assert cluster(server=batch).fails(errors.GATE) == []


def test_requests_with_many_prompts_at_one_pool_only_are_as_many_as_the_pickers_count() -> None:
    pools = cluster(server=partial(a_server, prompts=lambda at: 24))
    assert pools.fails(*GATES) == []
    assert pools.ask(split.GATE, 600).answer is GateAnswer.PASS


def test_a_gateway_that_ignores_the_weights_is_named_although_requests_have_many_prompts() -> None:
    many = partial(a_server, prompts=lambda at: 24)
    assert cluster(server=many, old_server=many, late=10_000).fails(split.GATE)


def test_answers_without_a_token_fail_it() -> None:
    (first, *_) = cluster(server=partial(a_server, hangs=a_third)).fails(errors.GATE)
    assert "with 2xx and no token), and 0.0 % of the old pool's" in first


def always(at: float) -> bool:
    return True


@pytest.mark.parametrize("which", [a_third, always], ids=["some", "all, as those of a model that embeds texts"])
def test_answers_without_a_token_that_both_pools_have_pass(which: Callable[[float], bool]) -> None:
    hangs = partial(a_server, hangs=which)
    assert cluster(server=hangs, old_server=hangs).ask(errors.GATE, 600).answer is GateAnswer.PASS


@pytest.mark.parametrize("lag", [30, 60, 90])
def test_a_queue_that_is_known_late_does_not_seem_to_last(lag: float) -> None:
    def short(*server: Any) -> Any:
        return a_server(*server, waiting=lambda at: 8.0 if AT + 55 <= at < AT + 100 else 0.0)

    for seed in range(2):
        assert cluster(server=short, lag=lag, seed=seed).fails(saturation.GATE, until=400) == []
