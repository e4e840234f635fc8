import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from bot.domain.errors import StoreError
from bot.store.connection import store_errors
from bot.store.store import RedisStore
from sandbox.certificates import make_certificates, tls_front
from sandbox.valkey import Valkey, valkey
from sandbox.workplace import workplace
from tests.builders import NOON, a_request
from tests.memory import a_store

DENIED = (
    "Redis refused (`NOPERM`). Let the user in `REDIS_URL` use every command on the bot's keys, which begin with "
    "`{rolloutbot}:` (`ACL SETUSER NAME ~{rolloutbot}:* +@all`; SECURITY.md says what may be taken away)."
)


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


@pytest.mark.parametrize("password", ["", "secret"])
def test_a_redis_that_knows_no_hello_is_as_good_as_another(password: str) -> None:
    bare = {"rename-command": 'HELLO ""'}
    with workplace(prefix="tests") as place, valkey(place, password=password, options=bare) as server:
        with redis.Redis.from_url(server.url()) as client, pytest.raises(redis.RedisError):
            client.ping()  # redis-py's own default
        store = a_store(server.url())
        store.declare_whole(NOON)
        assert store.receive(a_request("pause")) is True


def test_somebody_who_has_another_prefix_in_redis_is_told_which_one_the_bot_needs(own_valkey: Valkey) -> None:
    with redis.Redis.from_url(own_valkey.url()) as client:
        client.execute_command(*["ACL", "SETUSER", "team", "on", ">secret", "~team-a:*", "+@all"])
        as_team = own_valkey.url().replace("//", "//team:secret@")
        assert said_by(a_store(as_team)) == DENIED
        client.execute_command(*["ACL", "SETUSER", "team", "~{rolloutbot}:*", "+@all"])  # as the sentence says
        a_store(as_team).declare_whole(NOON)
        client.execute_command(*["ACL", "SETUSER", "team", "off"])
        client.client_kill_filter(_type="normal", skipme=True)
    assert said_by(a_store(as_team)) == "Redis refused (`WRONGPASS`). Check the user and the password in `REDIS_URL`."


@pytest.mark.parametrize("denied", ["zadd", "evalsha"])
def test_one_command_that_is_denied_is_told_as_that_also_where_a_script_uses_it(
    own_valkey: Valkey, denied: str
) -> None:
    with redis.Redis.from_url(own_valkey.url()) as client:
        client.execute_command(*["ACL", "SETUSER", "bot", "on", ">secret", "~{rolloutbot}:*", "+@all", f"-{denied}"])
    with pytest.raises(StoreError) as refused:
        a_store(own_valkey.url().replace("//", "//bot:secret@")).receive(a_request("pause"))
    assert str(refused.value) == DENIED


@pytest.mark.skipif(not shutil.which("openssl"), reason="needs the openssl command")
class TestTls:
    """A Redis whose authority has no Authority Key Identifier."""

    @pytest.fixture
    def front(self, own_valkey: Valkey, tmp_path: Path) -> Iterator[str]:
        """Return the address of a Valkey behind TLS, with Python 3.13's flags, and the file of its authority."""
        made = make_certificates(tmp_path)
        with tls_front(made, own_valkey.port) as port:
            yield f"127.0.0.1:{port}/0?ssl_include_verify_flags=VERIFY_X509_STRICT&ssl_ca_certs={made.authority}"

    def test_it_is_taken_as_other_programs_take_it(self, front: str) -> None:
        with redis.Redis.from_url(f"rediss://{front}") as client, pytest.raises(redis.ConnectionError, match="CERT"):
            client.ping()  # with these flags, Python itself refuses it
        a_store(f"rediss://{front}").declare_whole(NOON)

    @pytest.mark.parametrize(
        ("change", "why"),
        [
            (("127.0.0.1", "localhost"), "hostname mismatch"),
            (("&ssl_ca_certs", "&ssl_ca_path"), "unable to get local issuer certificate"),
        ],
    )
    def test_what_is_not_trusted_is_named_with_the_way_out(self, front: str, change: tuple[str, str], why: str) -> None:
        assert said_by(a_store(f"rediss://{front.replace(*change)}")) == (
            f"Redis could not be trusted: {why}. Let `REDIS_URL` name the host of its certificate and, for an "
            "authority of your own, its file (`rediss://…?ssl_ca_certs=/path/ca.crt`)."
        )


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
        (
            "Error running script (call to f_1): @user_script:1: The user executing the script can't run this command",
            DENIED,
        ),
        ("wrong word for AUTH hunter2", "Redis refused (`ERR`). Its log may say why."),
    ],
)
def test_of_a_refusal_nothing_but_its_code_is_said(text: str, said: str) -> None:
    with pytest.raises(StoreError) as refused, store_errors():
        raise redis.ResponseError(text)
    assert str(refused.value) == said
