"""Which models a pool serves: its pods are asked. What they answer is compared and shown; it can only stop a start."""

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
    """The names of the models and LoRA adapters that a pool serves, and which of them are adapters.

    None if no pod could be asked: ``why_not`` says why, if one of them is ready.
    """

    names: frozenset[str] | None
    why_not: str = ""
    adapters: frozenset[str] = frozenset()


def ask_pool(api: ApiClient, pool: Document, pods: Sequence[Document]) -> ServedModels:
    """Ask the ready pods of a pool, one after the other, until one answers. It never raises."""
    ports, ready = pool["spec"].get("targetPorts") or (), [each for each in pods if is_ready(each)][:MOST_ASKED]
    if not ports or not ready:
        return ServedModels(None)
    port, (first, *others) = int(ports[0]["number"]), ready
    served = pod_request.ask(api, first, port, PATH, LONGEST_ANSWER, models_in)
    for pod in others:
        if served is None:
            served = pod_request.ask_directly(pod, port, PATH, LONGEST_ANSWER, models_in)
    if served is not None:
        return served
    return ServedModels(None, f"pod `{first['metadata']['name']}` does not answer `GET {PATH}` at port {port}")


def models_in(body: bytes) -> ServedModels:
    """Read an answer in the shape of OpenAI's API. Raises ValueError if it has another one.

    vLLM and SGLang name the model of an adapter as its ``parent``.
    """
    document = None
    with suppress(ValueError, RecursionError):
        document = json.loads(body) if len(body) <= LONGEST_ANSWER else None
    models = document.get("data") if isinstance(document, Mapping) else None
    if not isinstance(models, list):
        raise ValueError("not a list of models")
    read = list(_read(models))
    return ServedModels(
        frozenset(name for name, _ in read), adapters=frozenset(name for name, is_adapter in read if is_adapter)
    )


def _read(models: Sequence[Any]) -> Iterator[tuple[str, bool]]:
    """Yield the name of each model, and whether it is an adapter."""
    for each in models[:MOST_MODELS]:
        name = each.get("id") if isinstance(each, Mapping) else None
        if isinstance(name, str) and _NAME.fullmatch(name):
            yield name, isinstance(each.get("parent"), str) and each["parent"] not in ("", name)
