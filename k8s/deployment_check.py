"""What forbids a deployment, and how it differs from the old release. Pure."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import zip_longest
from typing import Any, Final

from bot.domain.masking import masked
from k8s.document import Document
from k8s.inferencepool import labels_of

_ROUTES: Final = ("HTTPRoute", "GRPCRoute", "Gateway")
_PRIVATE: Final = re.compile(r"\benv\b|\bdata\b|password|token|secret|credential|key", re.IGNORECASE)
_PRIVATE_FLAG: Final = re.compile(r"--?[\w-]*(password|token|secret|credential|key)=", re.IGNORECASE)
MOST_DIFFERENCES: Final = 8


def stops(name: str, made: Sequence[Document], there: Sequence[str], pools: Sequence[Document]) -> Iterator[str]:
    """Yield why what a chart makes must not be installed. ``there`` names what exists already, ``pools`` all pools."""
    for what in there:
        yield f"{what} exists already."
    for each in made:
        if each["kind"] in _ROUTES:
            yield f"The chart would make {each['kind']} `{each['metadata']['name']}`, which may take requests at once."
    ours = [each for each in made if each["kind"] == "InferencePool"]
    if [each["metadata"]["name"] for each in ours] != [name]:
        yield f"The chart makes no InferencePool `{name}`, or more than that."
        return
    for other in pools:
        if not _are_apart(labels_of(ours[0]), labels_of(other)):
            yield (
                f"InferencePool `{name}` would select pods of `{other['metadata']['name']}` too: "
                f"{_listed(labels_of(ours[0]))} and {_listed(labels_of(other))}. Set another label."
            )


def elsewhere(placed: Iterable[tuple[Document, str]], namespace: str) -> Iterator[str]:
    """Yield what a chart would make outside the namespace; an empty one: it belongs to the whole cluster."""
    for each, where in placed:
        if where != namespace:
            there = f"in namespace `{where}`" if where else "for the whole cluster"
            yield f"The chart would make {each['kind']} `{each['metadata']['name']}` {there}."


OF_PODS: Final = "spec.template.spec."
"""What the path of everything in a Deployment's pods begins with: too long for a phone, and nobody needs it."""


def differences(old: Sequence[Document], new: Sequence[Document], old_name: str, new_name: str) -> Iterator[str]:
    """Yield how new objects differ from the old ones, apart from the name."""
    same = partial(_is_same, old=old_name, new=new_name)
    before = {(each["kind"], _renamed(each["metadata"]["name"], old_name, new_name)): each for each in old}
    after = {(each["kind"], each["metadata"]["name"]): each for each in new}
    for kind, name in sorted(before.keys() - after.keys()):
        yield f"{_named(kind, name, new_name)}, which is not made"
    for kind, name in sorted(after.keys() - before.keys()):
        yield f"{_named(kind, name, new_name)}, which is new"
    for key in sorted(before.keys() & after.keys()):
        for path, was, now in _changes(before[key], after[key], "", same):
            hidden = _is_private(key[0], path, was, now) or isinstance(was, dict | list) or isinstance(now, dict | list)
            values = "another value" if hidden else f"{_shown(was)} → {_shown(now)}"
            yield f"{_named(*key, new_name)}, {path.removeprefix(OF_PODS)}: {values}"


def bounded(found: Iterator[str]) -> tuple[str, ...]:
    """Return the first differences, and how many more there are."""
    lines = list(found)
    more = len(lines) - MOST_DIFFERENCES
    return (*lines[:MOST_DIFFERENCES], *([f"{more} more places"] if more > 0 else []))


def _named(kind: str, name: str, pool: str) -> str:
    """Name an object; most have the pool's name, which people read anyway."""
    return f"the {kind}" if name == pool else f"{kind} `{name}`"


def _renamed(text: str, old: str, new: str) -> str:
    """Return a text with the new name in place of the old one, where that stands for itself or begins a name."""
    return re.sub(rf"(?<![\w.-]){re.escape(old)}(?![\w.])", lambda _: new, text)


def _is_same(was: Any, now: Any, *, old: str, new: str) -> bool:
    """Say whether two values are the same, apart from the name."""
    return was == now or (isinstance(was, str) and _renamed(was, old, new) == now)


def _changes(was: Any, now: Any, path: str, same: Callable[[Any, Any], bool]) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(was, dict | None) and isinstance(now, dict | None):
        before, after = was or {}, now or {}
        for key in sorted(before.keys() | after.keys(), key=str):
            yield from _changes(before.get(key), after.get(key), f"{path}.{key}".lstrip("."), same)
    elif isinstance(was, list) and isinstance(now, list) and (len(was) == len(now) or _are_words([*was, *now])):
        for at, (left, right) in enumerate(zip_longest(was, now)):
            flag = next((each[at - 1] for each in (now, was) if at and len(each) >= at and _is_flag(each[at - 1])), "")
            yield from _changes(left, right, f"{path}[{at}]{f' ({flag})' if flag else ''}", same)
    elif not same(was, now):
        yield path, was, now


def _is_private(kind: str, path: str, *values: Any) -> bool:
    """Say whether a place may hold a secret: everybody in the channel reads what differs."""
    flags = [value for value in values if isinstance(value, str) and _PRIVATE_FLAG.match(value)]
    return kind == "Secret" or bool(flags) or _PRIVATE.search(path) is not None


def _are_apart(labels: Mapping[str, str], others: Mapping[str, str]) -> bool:
    """Say whether no pod can have the labels of both: one of them has two values."""
    return any(others.get(key, value) != value for key, value in labels.items())


def _listed(labels: Mapping[str, str]) -> str:
    return f"`{','.join(f'{key}={value}' for key, value in labels.items())}`"


def _is_flag(value: Any) -> bool:
    """Say whether an argument says what the next one means."""
    return isinstance(value, str) and value.startswith("-") and "=" not in value


def _are_words(values: Sequence[Any]) -> bool:
    return all(isinstance(value, str) for value in values)


def _shown(value: Any) -> str:
    return "nothing" if value is None else f"`{_short(value)}`"


def _short(value: Any) -> str:
    text = masked(value if isinstance(value, str) else json.dumps(value))
    return text if len(text) <= 60 else f"{text[:59]}…"
