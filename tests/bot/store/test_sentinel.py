"""A store that is reached through a Sentinel, on a real primary, its replica and a real Sentinel."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
import redis

from bot.domain.errors import StoreError
from bot.engine.store_port import Save, Saved, Shown
from bot.store.connection import connect, ping
from bot.store.store import RedisStore
from sandbox.process import wait_until
from sandbox.sentinel import Trio, trio
from sandbox.valkey import Valkey
from sandbox.workplace import workplace
from tests.bot.store.saves import STARTED, STEPPED, a_save
from tests.builders import NOON
from tests.memory import a_store

FIRST, SECOND = a_save(STARTED), a_save(STEPPED, "d1")
SHOWN = Shown(channel=STARTED.channel, ts="1.2")
FAIL_OVER_SECONDS = 10.0


@contextmanager
def a_trio(password: str = "") -> Iterator[Trio]:
    with workplace(prefix="sentinel") as place, trio(place, password=password) as running:
        yield running


def opened(url: str) -> RedisStore:
    store = a_store(url)
    store.declare_whole(NOON)
    assert store.save(FIRST) is Saved.YES
    return store


def decision_in(server: Valkey) -> str | None:
    entry = a_store(server.url()).load(STARTED.id)
    return entry.rollout.decision if entry else None


def role(server: Valkey) -> str:
    with redis.Redis.from_url(server.url()) as client:
        return str(client.info("replication")["role"])


def writes_to(store: RedisStore, server: Valkey) -> bool:
    store.show(STARTED.id, SHOWN, was=store.shown(STARTED.id))
    return a_store(server.url()).shown(STARTED.id) == SHOWN


def saved_in_the_end(store: RedisStore, save: Save) -> Saved:
    """Send one decision until it is answered, as whoever decides does."""
    answers: list[Saved] = []

    def send() -> bool:
        with suppress(StoreError):
            answers.append(store.save(save))
        return bool(answers)

    wait_until("a save after the fail-over", send, seconds=FAIL_OVER_SECONDS)
    return answers[0]


def test_a_store_goes_on_with_the_replica_when_its_primary_is_killed() -> None:
    with a_trio(password="hunter2") as three:
        store = opened(three.url())
        assert decision_in(three.first) == "d1"
        three.wait_copied()
        three.first.server.kill()
        assert saved_in_the_end(store, SECOND) is Saved.YES
        assert (decision_in(three.second), store.is_whole()) == ("d2", True)


def test_a_store_leaves_the_old_primary_although_that_one_still_takes_writes() -> None:
    """The Sentinel makes it a replica only seconds after a fail-over that it was asked for."""
    with a_trio() as three:
        store = opened(three.url())
        three.wait_copied()
        three.fail_over()
        wait_until("a write in the new primary", lambda: writes_to(store, three.second), seconds=FAIL_OVER_SECONDS)
        assert role(three.first) == "master"
        assert store.save(SECOND) is Saved.YES
        assert (decision_in(three.second), store.is_whole()) == ("d2", True)


def test_a_primary_that_only_reads_any_more_is_left_too() -> None:
    """Somebody swaps the two by hand: the connections stay open, and only the answers tell."""
    with a_trio() as three:
        store = opened(three.url())
        three.wait_copied()
        three.swap_by_hand()
        with pytest.raises(StoreError) as refused:
            store.save(SECOND)
        assert str(refused.value.__cause__) == "The previous master is now a slave"
        assert saved_in_the_end(store, SECOND) is Saved.YES
        assert decision_in(three.second) == "d2"


def test_a_fail_over_that_lost_writes_is_recognised() -> None:
    with a_trio() as three:
        store = opened(three.url())
        three.wait_copied()
        with three.cut_off():
            assert store.save(SECOND) is Saved.YES
            three.first.server.kill()
        three.wait_primary(three.second)
        fresh = a_store(three.url())
        assert (fresh.is_whole(), store.is_whole(), fresh.is_whole()) == (True, False, False)
        assert decision_in(three.second) == "d1"


def test_a_sentinel_that_hangs_is_asked_once_for_a_call() -> None:
    with socket.create_server(("127.0.0.1", 0)) as hung:
        with pytest.raises(StoreError, match=r"^Redis does not answer\.$"):
            ping(connect(f"redis+sentinel://127.0.0.1:{hung.getsockname()[1]}/primary"))
        assert asked(hung) == 1


def asked(hung: socket.socket) -> int:
    hung.setblocking(False)
    times = 0
    with suppress(BlockingIOError):
        while True:
            hung.accept()[0].close()
            times += 1
    return times
