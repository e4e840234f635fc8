"""Addresses of Redis that name Sentinels instead of a server; apart, because the settings are read without redis-py."""

from typing import Final, NamedTuple
from urllib.parse import unquote, urlsplit

SENTINEL: Final = ("redis+sentinel", "rediss+sentinel")
SENTINEL_PORT: Final = 26379


class Sentinels(NamedTuple):
    """What a ``redis+sentinel://`` address says: the Sentinels, the primary's name, and how to speak with it."""

    hosts: tuple[tuple[str, int], ...]
    primary: str
    database: int
    username: str | None
    password: str | None
    tls: bool


def read_sentinels(url: str) -> Sentinels:
    """Read ``redis+sentinel://user:password@host1:26379,host2:26379/primary/0``. Raises ValueError."""
    scheme, _, rest = url.partition("://")  # not by the library, which takes no IPv6 address after another host
    where, _, path = rest.partition("/")
    credentials, _, hosts = where.rpartition("@")
    username, _, password = credentials.partition(":")
    primary, _, database = path.strip("/").partition("/")
    if not primary or (database and not (database.isascii() and database.isdigit())) or set(rest) & set("?#"):
        raise ValueError("no primary's name")
    return Sentinels(
        hosts=tuple(_host(host.strip()) for host in hosts.split(",")),
        primary=unquote(primary),
        database=int(database or 0),
        username=unquote(username) or None,
        password=unquote(password) or None,
        tls=scheme == "rediss+sentinel",
    )


def scheme_of(url: str) -> str:
    """Return how an address begins, without asking the library what follows."""
    return url.partition("://")[0]


def password_of(url: str) -> str:
    """Return the password in an address as it is written there; empty if it has none."""
    return url.partition("://")[2].partition("/")[0].rpartition("@")[0].partition(":")[2]


def _host(text: str) -> tuple[str, int]:
    parts = urlsplit(f"//{text}")
    if not parts.hostname or parts.port == 0:
        raise ValueError("no host")
    return parts.hostname, parts.port or SENTINEL_PORT
