"""How long a write that failed waits for its next try."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis.strategies import booleans, floats, integers

from bot.engine.apply import backoff


@given(attempts=integers(1, 10_000), brake=booleans(), asked=floats(0, 1e6))
def test_a_brake_is_tried_again_within_five_seconds_and_a_step_within_thirty_whatever_is_asked(
    attempts: int, brake: bool, asked: float
) -> None:
    longest = timedelta(seconds=5 if brake else 30)
    assert timedelta(seconds=0.5) <= backoff(attempts, brake=brake, asked=asked) <= longest


@given(attempts=integers(1, 10_000), asked=floats(0, 30))
def test_a_step_never_comes_sooner_than_the_api_server_asks(attempts: int, asked: float) -> None:
    assert backoff(attempts, brake=False, asked=asked) >= timedelta(seconds=asked)


@pytest.mark.parametrize(
    ("attempts", "seconds"), [(1, 1.0), (2, 2.0), (3, 4.0), (4, 8.0), (5, 16.0), (6, 30.0), (99, 30.0)]
)
def test_a_step_waits_twice_as_long_each_time_but_never_just_as_long_as_others(attempts: int, seconds: float) -> None:
    waits = {backoff(attempts, brake=False) for _ in range(50)}
    assert len(waits) > 1
    assert timedelta(seconds=seconds / 2) <= min(waits) <= max(waits) <= timedelta(seconds=seconds)
