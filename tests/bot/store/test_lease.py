"""The lease: held for a time that is known, lost by the clock, and never waited for by anybody."""

from collections.abc import Iterator

import pytest
import redis

from bot.store.connection import connect
from bot.store.lease import Lease
from sandbox.process import wait_until
from sandbox.valkey import Valkey
from tests.memory import PREFIX, prefix


@pytest.fixture
def client(redis_url: str) -> Iterator["redis.Redis"]:
    client = connect(redis_url)
    yield client
    client.close()


class Clock:
    """A clock that a test moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_one_process_has_it_and_the_next_one_when_it_is_given_back(client: "redis.Redis") -> None:
    first, second = (Lease(client, prefix, seconds=1) for _ in range(2))
    first.seek()
    wait_until("the first holder", lambda: first.held, seconds=5)
    second.seek()
    assert not second.news.wait(0.3)
    first.give_back()
    wait_until("the second holder", lambda: second.held, seconds=5)
    assert not first.held
    first.stop()
    second.stop()


def test_a_process_that_slept_too_long_notices_before_it_asks_anything(client: "redis.Redis") -> None:
    clock = Clock()
    lease = Lease(client, prefix, clock=clock)
    lease.seek()
    wait_until("the lease", lambda: lease.held, seconds=5)
    clock.now = 9.9
    assert lease.held
    clock.now = 10.0
    assert not lease.held
    lease.stop()


def test_its_time_counts_from_before_it_was_asked_for(client: "redis.Redis") -> None:
    times = iter([100.0])
    lease = Lease(client, prefix, clock=lambda: next(times, 105.0))  # the answer takes 5 s
    lease.seek()
    wait_until("the lease", lambda: lease.held, seconds=5)
    assert lease.held_until == 110.0
    lease.stop()


def test_a_lost_lease_is_not_taken_again_until_somebody_asks(client: "redis.Redis") -> None:
    lease, rival = Lease(client, prefix, seconds=0.5), Lease(client, prefix, seconds=0.5)
    lease.seek()
    wait_until("the lease", lambda: lease.held, seconds=5)
    client.set(f"{PREFIX}lease", "somebody else")
    wait_until("the loss", lambda: not lease.held, seconds=5)
    client.delete(f"{PREFIX}lease")
    rival.seek()
    wait_until("a new holder", lambda: rival.held, seconds=5)
    rival.stop()
    lease.news.clear()
    assert not lease.news.wait(0.3)
    lease.seek()
    wait_until("the lease again", lambda: lease.held, seconds=5)
    lease.stop()


def test_a_redis_that_hangs_for_a_moment_costs_nothing_and_for_longer_the_lease(own_valkey: Valkey) -> None:
    with connect(own_valkey.url()) as client:
        lease = Lease(client, prefix, seconds=4)
        lease.seek()
        wait_until("the lease", lambda: lease.held, seconds=5)
        lease.news.clear()
        until = lease.held_until
        own_valkey.server.freeze()
        assert not lease.news.wait(0.8)
        own_valkey.server.thaw()
        wait_until("a renewal", lambda: lease.held_until > until, seconds=5)
        assert lease.held
        own_valkey.server.freeze()
        wait_until("the loss", lambda: not lease.held, seconds=5)
        own_valkey.server.thaw()
        lease.stop()
