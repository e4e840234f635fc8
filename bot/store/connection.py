"""How to reach Redis, and how its failures become our errors.

With Sentinels, every new connection asks them which Redis is the primary, and so does one call a second: after a
planned fail-over the old primary accepts writes for some seconds more, and they are lost. When a Redis stops being the
primary, the connections to it are closed.
"""

import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from time import monotonic
from typing import Any, Final, cast

import redis
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.retry import Retry
from redis.sentinel import MasterNotFoundError, Sentinel, SentinelConnectionPool

from bot.config.redis_url import SENTINEL, Sentinels, read_sentinels, scheme_of
from bot.domain.errors import StoreError
from bot.domain.trust import tls_failure

_BOUNDED: Final = {"socket_timeout": 0.4, "socket_connect_timeout": 0.3}
_SPOKEN: Final = {"protocol": 2}
"""RESP2, which needs no HELLO: servers before 6.0 and some proxies refuse that."""

_TLS: Final = {"ssl_exclude_verify_flags": [ssl.VERIFY_X509_STRICT]}
"""From Python 3.13 on, an authority without an Authority Key Identifier would be refused, which others take."""

ASK_SECONDS: Final = 1.0
_SHARED: Final = {"max_connections": 64, "timeout": 0.5}
"""How many connections threads share, and how long a thread waits for a free one."""

_CODE: Final = re.compile(r"(?:^|caused error: )([A-Z]{2,20})\b")
_IN_SCRIPT: Final = re.compile(r"ACL failure in script|The user executing the script can't")
"""What Redis says instead of NOPERM where it is a script that may not use a command or a key."""

_LOGIN: Final = "Check the user and the password in `REDIS_URL`."
_CERTIFICATE: Final = (
    "Let `REDIS_URL` name the host of its certificate and, for an authority of your own, its file "
    "(`rediss://…?ssl_ca_certs=/path/ca.crt`)."
)
_NEXT: Final = {
    "NOAUTH": _LOGIN,
    "WRONGPASS": _LOGIN,
    "NOPERM": "Let the user in `REDIS_URL` use every command on the bot's keys, which begin with `{rolloutbot}:` "
    "(`ACL SETUSER NAME ~{rolloutbot}:* +@all`; SECURITY.md says what may be taken away).",
    "OOM": "It is full: give it more memory (`maxmemory`).",
    "MISCONF": "It cannot save to its disk: make room there.",
    "READONLY": "It is a replica: let `REDIS_URL` name the primary, or the Sentinels.",
}


def connect(url: str) -> "redis.Redis":
    """Open a client whose every call ends within about a second.

    One retry is safe because each script knows its own decision or token again.
    """
    options: dict[str, Any] = {**_BOUNDED, **_SPOKEN, "retry": _retry(), "decode_responses": True}
    if scheme_of(url).startswith("rediss"):
        options |= _TLS
    if scheme_of(url) in SENTINEL:
        return redis.Redis.from_pool(_sentinel_pool(read_sentinels(url), options))
    return redis.Redis.from_pool(redis.BlockingConnectionPool.from_url(url, **_SHARED, **options))


def ping(client: "redis.Redis") -> None:
    """Raise StoreError if Redis does not answer."""
    with store_errors():
        client.ping()


def _sentinel_pool(meant: Sentinels, options: dict[str, Any]) -> SentinelConnectionPool:
    asked = {"socket_timeout": 0.3, "socket_connect_timeout": 0.3, "retry": Retry(NoBackoff(), 0)}
    asked |= {**_SPOKEN, "ssl": meant.tls, **(_TLS if meant.tls else {})}
    return _Following(
        meant.primary,
        _AskedOnce(meant.hosts, sentinel_kwargs=asked),  # type: ignore[no-untyped-call]
        db=meant.database,
        username=meant.username,
        password=meant.password,
        ssl=meant.tls,
        max_connections=64,
        **options,
    )


class _Following(SentinelConnectionPool):
    """Connections to the current primary; those to the previous one are closed."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)  # type: ignore[no-untyped-call]
        self._asked_at = monotonic()  # the first connection asks anyway

    def get_connection(self, *args: Any, **options: Any) -> Any:
        now = monotonic()
        if now - self._asked_at > ASK_SECONDS:
            self._asked_at = now
            with suppress(redis.RedisError):  # an open connection goes on without the Sentinels
                self.get_master_address()  # type: ignore[no-untyped-call]
        return super().get_connection(*args, **options)


class _AskedOnce(Sentinel):
    """Sentinels whose "no primary" ends the call: redis-py's own error would make it ask all of them again."""

    def discover_master(self, service_name: str) -> tuple[str, int]:
        try:
            return cast(tuple[str, int], super().discover_master(service_name))  # type: ignore[no-untyped-call]
        except MasterNotFoundError as error:
            raise redis.RedisError(str(error)) from error


def _retry() -> Retry:
    return Retry(ExponentialBackoff(cap=0.05, base=0.01), 1)


@contextmanager
def store_errors() -> Iterator[None]:
    """Turn redis-py's errors into ours; their texts may name hosts, so they only go to the log."""
    try:
        yield
    except (redis.ResponseError, redis.AuthenticationError) as error:
        raise _refused(error) from error
    except redis.RedisError as error:
        raise _no_answer(error) from error


def _no_answer(error: redis.RedisError) -> StoreError:
    if why := tls_failure(error):
        return StoreError(f"Redis could not be trusted: {why}.", hint=_CERTIFICATE)
    return StoreError("Redis does not answer.")


def _refused(error: redis.RedisError) -> StoreError:
    """Name the code of an error answer (its first word), and nothing else of it."""
    code = _code(error)
    return StoreError(f"Redis refused (`{code}`).", hint=_NEXT.get(code, "Its log may say why."))


def _code(error: redis.RedisError) -> str:
    if _IN_SCRIPT.search(str(error)):
        return "NOPERM"
    found = _CODE.search(str(error))
    return error.status_code or (found[1] if found else "ERR")
