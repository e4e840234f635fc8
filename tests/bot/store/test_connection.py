import pytest
import redis

from bot.domain.errors import StoreError
from bot.store.connection import store_errors
from bot.store.store import RedisStore
from sandbox.valkey import Valkey
from tests.builders import NOON
from tests.memory import a_store


def said_by(store: RedisStore) -> str:
    with pytest.raises(StoreError) as refused:
        store.declare_whole(NOON)
    return str(refused.value)


def test_a_redis_that_refuses_is_told_from_one_that_does_not_answer(own_valkey: Valkey) -> None:
    store = a_store(own_valkey.url())
    with redis.Redis.from_url(own_valkey.url()) as client:
        client.config_set("maxmemory", "1")
        assert said_by(store) == "Redis refused (`OOM`). It is full: give it more memory (`maxmemory`)."
        client.replicaof("127.0.0.1", "1")
        assert said_by(store) == (
            "Redis refused (`READONLY`). It is a replica: let `REDIS_URL` name the primary, or the Sentinels."
        )
        client.config_set("requirepass", "hunter2")
    wrong = a_store(own_valkey.url().replace("//", "//:hunter3@"))
    for login, code in ((a_store(own_valkey.url()), "NOAUTH"), (wrong, "WRONGPASS")):
        assert said_by(login) == f"Redis refused (`{code}`). Check the user and the password in `REDIS_URL`."


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "MISCONF Errors writing to the AOF file: No space left on device",
            "Redis refused (`MISCONF`). It cannot save to its disk: make room there.",
        ),
        (
            "Command # 1 (ZADD a 1 b) of pipeline caused error: MISCONF Errors writing to the AOF file",
            "Redis refused (`MISCONF`). It cannot save to its disk: make room there.",
        ),
        ("wrong word for AUTH hunter2", "Redis refused (`ERR`). Its log may say why."),
    ],
)
def test_of_a_refusal_nothing_but_its_code_is_said(text: str, said: str) -> None:
    with pytest.raises(StoreError) as refused, store_errors():
        raise redis.ResponseError(text)
    assert str(refused.value) == said
