"""The Valkey of the sandbox."""

import pytest
import redis

from sandbox.valkey import Valkey
from sandbox.valkey import valkey as running_valkey
from sandbox.workplace import Workplace, workplace


def test_each_test_has_a_database_of_its_own(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        assert not client.exists("left")
        client.set("left", "behind")


def test_and_so_has_the_next(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        assert not client.exists("left")


def test_what_was_written_survives_a_kill() -> None:
    with workplace(prefix="tests") as place, running_valkey(place) as server:
        _write(server, "kept", "yes")

        server.server.kill()
        with pytest.raises(redis.ConnectionError):
            _read(server, "kept")
        server.start()

        assert _read(server, "kept") == b"yes"


def test_a_frozen_server_answers_nobody_until_it_is_thawed(place: Workplace) -> None:
    with workplace(prefix="tests") as own, running_valkey(own) as server:
        server.server.freeze()
        with pytest.raises(redis.TimeoutError):
            _read(server, "anything")

        server.server.thaw()

        assert _read(server, "anything") is None


def _client(server: Valkey) -> redis.Redis:
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    return redis.Redis.from_url(server.url(), socket_timeout=0.5, retry=Retry(NoBackoff(), 0))


def _write(server: Valkey, key: str, value: str) -> None:
    with _client(server) as client:
        client.set(key, value)


def _read(server: Valkey, key: str) -> object:
    with _client(server) as client:
        return client.get(key)
