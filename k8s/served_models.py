"""Which models a pool serves: its pods are asked. What they answer is only compared and shown: it decides nothing."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from kubernetes.client import ApiClient

from k8s import pod_request
from k8s.document import Document
from k8s.pool_health import is_ready

PATH: Final = "/v1/models"
MOST_ASKED: Final = 2
"""Pods of a pool that are asked: the first one that answers speaks for all."""
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
    port, (first, *others) = int(ports[0]["number"]), ready
    names = pod_request.ask(api, first, port, PATH, LONGEST_ANSWER, names_in)
    for pod in others:
        if names is None:
            names = pod_request.ask_directly(pod, port, PATH, LONGEST_ANSWER, names_in)
    if names is not None:
        return ServedModels(names)
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
