import logging
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from bot.domain.errors import StoreError
from bot.store.clock import RedisClock
from bot.store.connection import connect
from sandbox.process import wait_until
from sandbox.valkey import Valkey
from tests.shell import NOWHERE


class WrongClock:
    """A clock that runs, and is wrong by some seconds."""

    def __init__(self, seconds: float) -> None:
        self.wrong_by = timedelta(seconds=seconds)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.wrong_by

    def sleep(self, seconds: float) -> None:
        """Return at once."""


def is_right(clock: RedisClock) -> bool:
    """Redis runs on this machine."""
    return abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=0.5)


@pytest.mark.parametrize("seconds", [5, -5, 3600])
def test_a_machine_whose_clock_is_wrong_tells_redis_s_time(redis_url: str, seconds: float) -> None:
    with connect(redis_url) as client:
        clock = RedisClock(client, WrongClock(seconds))
        clock.ask()
        assert is_right(clock)


def test_if_redis_is_away_from_the_start_our_own_clock_counts_and_nobody_waits() -> None:
    with connect(NOWHERE) as client:
        clock = RedisClock(client)
        with pytest.raises(StoreError):
            clock.ask()
        begun = time.monotonic()
        assert is_right(clock)
        assert time.monotonic() - begun < 0.1


def test_redis_s_time_goes_on_while_redis_is_away(own_valkey: Valkey) -> None:
    with connect(own_valkey.url()) as client:
        clock = RedisClock(client, WrongClock(60))
        clock.ask()
        own_valkey.server.kill()
        with pytest.raises(StoreError):
            clock.ask()
        assert is_right(clock)


def test_a_clock_that_is_set_while_the_bot_runs_is_seen(redis_url: str) -> None:
    own, ending = WrongClock(0), threading.Event()
    with connect(redis_url) as client:
        clock = RedisClock(client, own)
        asking = threading.Thread(target=clock.ask_until, args=(ending, 0.05))
        asking.start()
        own.wrong_by = timedelta(hours=-8)  # as after a machine was suspended for a night
        wait_until("the right time", lambda: is_right(clock), seconds=5)
        ending.set()
        asking.join()


def test_nothing_happens_early_or_late_when_the_clock_of_the_machine_is_set(redis_url: str) -> None:
    with connect(redis_url) as client:
        clock = RedisClock(client)
        clock.ask()
        with time_machine.travel(datetime.now(UTC) + timedelta(hours=8)):
            told = clock.now()
        assert abs(told - datetime.now(UTC)) < timedelta(seconds=0.5)


def test_redis_is_asked_again_when_it_is_back(own_valkey: Valkey) -> None:
    ending = threading.Event()
    own_valkey.server.kill()
    with connect(own_valkey.url()) as client:
        clock = RedisClock(client, WrongClock(60))
        asking = threading.Thread(target=clock.ask_until, args=(ending, 0.05))
        asking.start()
        own_valkey.start()
        wait_until("the right time", lambda: is_right(clock), seconds=10)
        ending.set()
        asking.join()


def test_where_no_answer_comes_in_time_that_is_said(redis_url: str) -> None:
    class Hurried(WrongClock):
        def now(self) -> datetime:
            self.wrong_by += timedelta(seconds=1)
            return super().now()

    with connect(redis_url) as client, pytest.raises(StoreError, match="too slowly"):
        RedisClock(client, Hurried(0)).ask()


def test_an_answer_during_which_the_clock_was_set_counts_for_nothing(redis_url: str) -> None:
    times = [datetime.now(UTC), datetime.now(UTC) + timedelta(hours=8)]

    class SetMeanwhile(WrongClock):
        def now(self) -> datetime:
            return times.pop(0) if times else super().now()

    with connect(redis_url) as client:
        clock = RedisClock(client, SetMeanwhile(0))
        clock.ask()
        assert is_right(clock)


def test_a_clock_that_is_far_off_is_named_in_the_log_once(redis_url: str, caplog: pytest.LogCaptureFixture) -> None:
    with connect(redis_url) as client, caplog.at_level(logging.INFO):
        clock = RedisClock(client, WrongClock(-5))
        clock.ask()
        clock.ask()
    assert caplog.messages == ["Redis's clock, by which bots decide, is +5.0 s from this machine's"]
