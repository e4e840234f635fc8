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
    parts = urlsplit(url)
    credentials, _, hosts = parts.netloc.rpartition("@")
    username, _, password = credentials.partition(":")
    primary, _, database = parts.path.strip("/").partition("/")
    if not primary or (database and not (database.isascii() and database.isdigit())) or parts.query or parts.fragment:
        raise ValueError("no primary's name")
    return Sentinels(
        hosts=tuple(_host(host.strip()) for host in hosts.split(",")),
        primary=unquote(primary),
        database=int(database or 0),
        username=unquote(username) or None,
        password=unquote(password) or None,
        tls=parts.scheme == "rediss+sentinel",
    )


def _host(text: str) -> tuple[str, int]:
    parts = urlsplit(f"//{text}")
    if not parts.hostname or parts.port == 0:
        raise ValueError("no host")
    return parts.hostname, parts.port or SENTINEL_PORT
