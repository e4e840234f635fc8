"""HTTP requests whose answers begin within a deadline, however slowly a server sends them.

A timeout of ``requests`` counts from byte to byte: a server that sends one now and then holds its caller for ever.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from threading import Event, Timer
from typing import Any, ClassVar

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

NEVER = 3600.0
"""Seconds, for a request without a timeout."""
TOO_LATE = "The answer did not come in time."


def session() -> requests.Session:
    """Return a session whose timeout for reading bounds the time from the end of a request to the answer's head.

    It raises Timeout if that is late. The time for a connection, and for TLS, counts from byte to byte.
    """
    made = requests.Session()
    for scheme in ("http://", "https://"):
        made.mount(scheme, _Timely())
    return made


@contextmanager
def whole_within(answer: requests.Response, seconds: float) -> Iterator[None]:
    """Bound the time for reading what follows the head of an answer that is streamed. Raises TimeoutError."""
    connection = answer.raw.connection
    with _deadline(connection, seconds) if isinstance(connection, HTTPConnection) else nullcontext():
        yield


@contextmanager
def _deadline(connection: HTTPConnection, seconds: float) -> Iterator[None]:
    late = Event()
    timer = Timer(max(0.0, seconds), _cut, [connection, late])
    timer.daemon = True
    timer.start()
    try:
        yield
    except Exception as error:
        if late.is_set():
            raise TimeoutError(TOO_LATE) from error
        raise
    finally:
        timer.cancel()
    if late.is_set():
        raise TimeoutError(TOO_LATE)


def _cut(connection: HTTPConnection, late: Event) -> None:
    """Make the reader see the end now; not TLS's own shutdown, which would break the connection under it."""
    late.set()
    if isinstance(connection.sock, socket.socket):
        with suppress(OSError):
            socket.socket.shutdown(connection.sock, socket.SHUT_RDWR)


def _allowed(connection: HTTPConnection) -> float:
    return connection.timeout if isinstance(connection.timeout, int | float) else NEVER


class _Plain(HTTPConnection):
    def getresponse(self) -> Any:
        with _deadline(self, _allowed(self)):
            return super().getresponse()


class _Encrypted(HTTPSConnection):
    def getresponse(self) -> Any:
        with _deadline(self, _allowed(self)):
            return super().getresponse()


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _EncryptedPool(HTTPSConnectionPool):
    ConnectionCls = _Encrypted


class _Timely(HTTPAdapter):
    pools: ClassVar = {"http": _PlainPool, "https": _EncryptedPool}

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = self.pools

    def proxy_manager_for(self, *arguments: Any, **options: Any) -> Any:
        manager = super().proxy_manager_for(*arguments, **options)
        manager.pool_classes_by_scheme = self.pools
        return manager
