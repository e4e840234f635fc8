"""Asks a pod something over HTTP: through the API server's proxy, else at its own address.

What a pod answers is only compared and shown: it decides nothing by itself.
"""

import http.client
import ipaddress
import socket
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from typing import Final, TypeVar

from kubernetes.client import ApiClient

from bot.domain.errors import DependencyError, UserError
from k8s import client
from k8s.document import Document, namespace_of

SECONDS: Final = 1.0

T = TypeVar("T")


def ask(api: ApiClient, pod: Document, port: int, path: str, most: int, read: Callable[[bytes], T]) -> T | None:
    """Return what ``read`` makes of a pod's answer of at most ``most`` bytes; None if it gives none. It never raises.

    ``read`` gets one byte more of an answer that is longer, and raises ValueError if the answer is none.
    """
    with suppress(DependencyError, UserError, OSError, ValueError, http.client.HTTPException):
        return read(_through_the_api_server(api, pod, port, path, most))
    return ask_directly(pod, port, path, most, read)


def ask_directly(pod: Document, port: int, path: str, most: int, read: Callable[[bytes], T]) -> T | None:
    """Ask a pod as ``ask`` does, only at its own address."""
    with suppress(DependencyError, UserError, OSError, ValueError, http.client.HTTPException):
        return read(_at_its_address(pod, port, path, most))
    return None


def _through_the_api_server(api: ApiClient, pod: Document, port: int, path: str, most: int) -> bytes:
    name = f"{pod['metadata']['name']}:{port}"
    return client.ask_pod(api, namespace_of(pod), name, path, seconds=SECONDS, most=most)


def _at_its_address(pod: Document, port: int, path: str, most: int) -> bytes:
    """Ask without a proxy, and follow no redirect."""
    with closing(http.client.HTTPConnection(_host(pod), port, timeout=SECONDS)) as connection:
        connection.connect()
        in_time = threading.Timer(SECONDS, _cut, [connection.sock])
        in_time.start()
        try:
            connection.request("GET", path, headers={"Accept": "*/*"})
            answer = connection.getresponse()
            if answer.status != http.HTTPStatus.OK:
                raise ValueError(f"status {answer.status}")
            return answer.read(most + 1)
        finally:
            in_time.cancel()


def _cut(sock: socket.socket) -> None:
    with suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


def _host(pod: Document) -> str:
    """Return a pod's address. Raises ValueError where no pod of a network can be, as at a cloud's metadata."""
    address = ipaddress.ip_address(str(pod.get("status", {}).get("podIP")))
    if address.is_link_local or address.is_multicast or address.is_unspecified:
        raise ValueError(f"{address} is no pod's address")
    return str(address)
