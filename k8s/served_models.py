"""Which models a pool serves: its pods are asked, through the API server's proxy or at their own address.

What they answer is only compared and shown: it decides nothing.
"""

import http.client
import ipaddress
import json
import re
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from kubernetes.client import ApiClient

from bot.domain.errors import DependencyError, UserError
from k8s import client
from k8s.document import Document, namespace_of
from k8s.pool_health import is_ready

PATH: Final = "/v1/models"
MOST_ASKED: Final = 2
"""Pods of a pool that are asked: the first one that answers speaks for all."""
SECONDS: Final = 1.0
LONGEST_ANSWER: Final = 256 * 1024
MOST_MODELS: Final = 500
_NAME: Final = re.compile(r"[\w./:@+ -]{1,200}")


@dataclass(frozen=True, slots=True)
class ServedModels:
    """The names of the models and LoRA adapters that a pool serves.

    None if no pod could be asked: ``why_not`` says why, if one of them is ready.
    """

    names: frozenset[str] | None
    why_not: str = ""


def ask_pool(api: ApiClient, pool: Document, pods: Sequence[Document]) -> ServedModels:
    """Ask the ready pods of a pool, one after the other, until one answers. It never raises."""
    ports, ready = pool["spec"].get("targetPorts") or (), [each for each in pods if is_ready(each)][:MOST_ASKED]
    if not ports or not ready:
        return ServedModels(None)
    port, first = int(ports[0]["number"]), ready[0]
    asks = (partial(_through_the_api_server, api, first, port), *(partial(_at_its_address, pod, port) for pod in ready))
    for ask in asks:
        with suppress(DependencyError, UserError, OSError, ValueError, http.client.HTTPException):
            return ServedModels(names_in(ask()))
    return ServedModels(None, f"pod `{first['metadata']['name']}` does not answer `GET {PATH}` at port {port}")


def names_in(body: bytes) -> frozenset[str]:
    """Return the names in an answer in the shape of OpenAI's API. Raises ValueError if it has another one."""
    document = None
    with suppress(ValueError, RecursionError):
        document = json.loads(body) if len(body) <= LONGEST_ANSWER else None
    models = document.get("data") if isinstance(document, Mapping) else None
    if not isinstance(models, list):
        raise ValueError("not a list of models")
    return frozenset(_ids(models))


def _ids(models: Sequence[Any]) -> Iterator[str]:
    for each in models[:MOST_MODELS]:
        name = each.get("id") if isinstance(each, Mapping) else None
        if isinstance(name, str) and _NAME.fullmatch(name):
            yield name


def _through_the_api_server(api: ApiClient, pod: Document, port: int) -> bytes:
    name = f"{pod['metadata']['name']}:{port}"
    return client.ask_pod(api, namespace_of(pod), name, PATH, seconds=SECONDS, most=LONGEST_ANSWER)


def _at_its_address(pod: Document, port: int) -> bytes:
    """Ask without a proxy, and follow no redirect."""
    with closing(http.client.HTTPConnection(_host(pod), port, timeout=SECONDS)) as connection:
        connection.connect()
        in_time = threading.Timer(SECONDS, _cut, [connection.sock])
        in_time.start()
        try:
            connection.request("GET", PATH, headers={"Accept": "application/json"})
            answer = connection.getresponse()
            if answer.status != http.HTTPStatus.OK:
                raise ValueError(f"status {answer.status}")
            return answer.read(LONGEST_ANSWER + 1)
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
