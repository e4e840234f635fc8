from collections.abc import Iterator

import pytest
import redis

from bot.store.connection import connect
from bot.store.connections import RedisConnections
from tests.handlers.fakes import Hand
from tests.memory import PREFIX, prefix


@pytest.fixture
def client(redis_url: str) -> Iterator["redis.Redis"]:
    client = connect(redis_url)
    yield client
    client.close()


def test_replicas_count_each_others_connections_while_they_say_that_these_are_open(client: "redis.Redis") -> None:
    clock = Hand()
    ours, theirs = (RedisConnections(client, prefix, clock) for _ in range(2))
    ours.is_open("a")
    theirs.is_open("b")
    assert (ours.count(), theirs.count()) == ((2, 2), (2, 2))
    clock.forward(seconds=29)
    ours.is_open("a")
    clock.forward(seconds=1)
    assert ours.count() == (1, 2)  # b was killed, and Slack may not know that yet
    clock.forward(seconds=150)
    assert ours.count() == (0, 1)


def test_one_that_is_being_opened_or_broke_off_is_only_perhaps_counted_and_not_for_long(client: "redis.Redis") -> None:
    clock = Hand()
    ours = RedisConnections(client, prefix, clock)
    ours.is_open("a")
    ours.may_be_open("a")
    assert ours.count() == (0, 1)
    clock.forward(seconds=149)
    assert ours.count() == (0, 1)
    clock.forward(seconds=1)
    assert ours.count() == (0, 0)


def test_one_that_slack_took_leave_of_is_not_counted(client: "redis.Redis") -> None:
    ours = RedisConnections(client, prefix, Hand())
    ours.is_open("a")
    ours.has_ended("a")
    assert ours.count() == (0, 0)


def test_the_list_stays_short_and_ends_with_the_install(client: "redis.Redis") -> None:
    clock = Hand()
    ours = RedisConnections(client, prefix, clock)
    for number in range(100):
        ours.is_open(f"a{number}")
        clock.forward(seconds=10)
    assert client.zcard(f"{PREFIX}connections") == 18
    assert 0 < client.ttl(f"{PREFIX}connections") <= 3600


def test_another_install_is_not_counted(client: "redis.Redis") -> None:
    ours, theirs = RedisConnections(client, prefix, Hand()), RedisConnections(client, lambda: "other:", Hand())
    theirs.is_open("b")
    assert ours.count() == (0, 0)
