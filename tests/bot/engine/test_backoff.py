"""How long what failed is left alone."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis.strategies import floats, integers, sampled_from

from bot.domain.backoff import Backoff
from bot.engine.trouble import ROLLBACK_BACKOFF, WRITE_BACKOFF


@given(
    attempts=integers(1, 10**9),
    case=sampled_from([(ROLLBACK_BACKOFF, timedelta(seconds=5)), (WRITE_BACKOFF, timedelta(seconds=30))]),
    asked=floats(0, 1e6),
)
def test_a_roll_back_is_tried_again_within_five_seconds_and_a_step_within_thirty_whatever_is_asked(
    attempts: int, case: tuple[Backoff, timedelta], asked: float
) -> None:
    backoff, longest = case
    assert timedelta(seconds=0.5) <= backoff.wait(attempts, asked=timedelta(seconds=asked)) <= longest


@given(attempts=integers(1, 10_000), asked=floats(0, 30))
def test_a_step_never_comes_sooner_than_the_api_server_asks(attempts: int, asked: float) -> None:
    assert WRITE_BACKOFF.wait(attempts, asked=timedelta(seconds=asked)) >= timedelta(seconds=asked)


@pytest.mark.parametrize(
    ("attempts", "seconds"), [(1, 1.0), (2, 2.0), (3, 4.0), (4, 8.0), (5, 16.0), (6, 30.0), (99, 30.0)]
)
def test_a_step_waits_twice_as_long_each_time_but_never_just_as_long_as_others(attempts: int, seconds: float) -> None:
    waits = {WRITE_BACKOFF.wait(attempts) for _ in range(50)}
    assert len(waits) > 1
    assert timedelta(seconds=seconds / 2) <= min(waits) <= max(waits) <= timedelta(seconds=seconds)
