import pytest
import redis

from bot.domain.errors import StoreError
from bot.domain.rollout import Entry
from sandbox.valkey import valkey
from sandbox.workplace import workplace
from tests.bot.store.saves import STARTED, a_save
from tests.builders import NOON, a_request
from tests.memory import a_store


def test_a_store_that_hangs_fails_within_a_second_or_so_in_our_words() -> None:
    with workplace(prefix="store") as place, valkey(place) as server:
        store = a_store(server.url())
        store.next_due()
        server.server.freeze()
        with pytest.raises(StoreError, match=r"^Redis does not answer\.$"):
            store.receive(a_request("pause"))
        server.server.thaw()


def test_a_written_key_survives_kill_9() -> None:
    with workplace(prefix="store") as place, valkey(place) as server:
        store = a_store(server.url())
        store.declare_whole(NOON)
        store.save(a_save(STARTED))
        with redis.Redis.from_url(server.url()) as client:
            client.execute_command("WAITAOF", 1, 0, 2000)
        server.server.kill()
        server.start()
        assert a_store(server.url()).load(STARTED.id) == Entry(rollout=STARTED, pending=("d1",), due=NOON)
