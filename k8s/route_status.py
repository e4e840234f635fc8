"""Read what gateways say about an HTTPRoute out of its status. Pure.

A condition is proof only of the generation that it names. One that names none, or one that the route does not have yet,
proves nothing; a no in it still counts if it is new. One of an older generation says nothing of our weights.
"""

import hashlib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final

from bot.engine.gateway_word import Bars, GatewayWord, Objection, ParentWord
from k8s.document import Document, namespace_of, rules_of
from k8s.messages import redacted

GATEWAY_API: Final = "gateway.networking.k8s.io"
ACCEPTING: Final = ("Accepted", "ResolvedRefs")
ANY_GENERATION: Final = 0
"""Asks for everything that stands in a status, whatever generation it is about."""

_NO: Final = {"Accepted": "False", "ResolvedRefs": "False", "PartiallyInvalid": "True"}
_NOT_PROGRAMMED: Final = {"Reconciled": "False", "Programmed": "False"}  # GKE; some controllers write Programmed here

_SOME: Final = r"\d{1,2}(?:\s*(?:,\s*and\b|,|&|/|-|–|\band\b|\bor\b|\bto\b)\s*\d{1,2})*"
_INDEXES: Final = re.compile(r"\brules\[([\d,\s]+)\]", re.IGNORECASE)
_NUMBERS: Final = re.compile(
    rf"\brules?(?:\(s\))?(?:\W{{0,2}}\[([\d,\s]+)\]|\W{{0,3}}({_SOME})\b(?!\.\d))", re.IGNORECASE
)
_RANGE: Final = re.compile(r"(\d{1,2})(?:\s*(?:-|–|\bto\b)\s*(\d{1,2}))?", re.IGNORECASE)
_WORD: Final = re.compile(r"[A-Za-z0-9.-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ours:
    """What is ours in a route: the places of our rules, counted from 0, and the new pool's name."""

    rules: frozenset[int]
    canary: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayFacts:
    """What is known of a parent beside the route's status: whose it is (empty: unknown), which features its class says
    that it has, and what it says of itself.
    """

    controller: str = ""
    features: frozenset[str] = frozenset()
    objections: tuple[Objection, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Parent:
    """A parentRef of the route and what is known of the parent."""

    ref: Mapping[str, Any]
    facts: GatewayFacts


class _Age(Enum):
    OF_GENERATION = auto()
    OLDER = auto()
    UNKNOWN = auto()


def parent_refs(route: Document) -> Sequence[Mapping[str, Any]]:
    """Return the parentRefs of a route."""
    return route.get("spec", {}).get("parentRefs") or ()


def gateway_word(route: Document, generation: int, ours: Ours, parents: Sequence[Parent]) -> GatewayWord:
    """Read what every parent says about ``generation``, or a newer one."""
    heard = [_heard(route, generation, ours, parent) for parent in parents]
    return GatewayWord(
        parents=tuple(word for word, _ in heard),
        notes=tuple(dict.fromkeys(note for _, notes in heard for note in notes)),
    )


def condition_sentence(where: str, condition: Mapping[str, Any]) -> str:
    """Write a condition as a sentence, in the field's words, without what must not be shown."""
    kind, status = condition.get("type"), condition.get("status")
    reason, text = condition.get("reason") or "no reason", redacted(condition.get("message")) or "no message"
    return f"{where}: {kind} is {status} ({reason}): {text}"


def objection(where: str, condition: Mapping[str, Any], bars: Bars, *about: object) -> Objection:
    """Return an objection whose key is made of where it is from, its type, its reason, and what it is about."""
    key = key_of(where, condition.get("type"), condition.get("reason"), *about)
    return Objection(key=key, said=condition_sentence(where, condition), bars=bars)


def key_of(*parts: object) -> str:
    """Return the key of an objection that is made of these parts."""
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()[:12]


def conditions_in(status: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return the conditions of a status that have a type; anything else that stands in their place is none."""
    return [each for each in _mappings(status.get("conditions")) if isinstance(each.get("type"), str)]


def _mappings(found: object) -> Sequence[Mapping[str, Any]]:
    return [each for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []


def _heard(route: Document, generation: int, ours: Ours, parent: Parent) -> tuple[ParentWord, Sequence[str]]:
    entries = _entries(route, parent.ref)
    counted = [entry for entry in entries if _counts(entry, entries, parent.facts.controller)]
    where = _where(parent.ref, namespace_of(route))
    said = [each for entry in counted for each in _objections(route, generation, ours, where, entry)]
    word = ParentWord(
        accepts=any(_accepts(route, generation, entry) for entry in counted),
        objections=(*said, *parent.facts.objections),
    )
    others = [entry for entry in entries if entry not in counted]
    return word, [_note(where, entry) for entry in others if list(_noes(route, generation, entry))]


def _counts(entry: Mapping[str, Any], entries: Sequence[Mapping[str, Any]], controller: str) -> bool:
    """Say whether an entry is the word of the Gateway's own controller. If nobody knows it, those count whose last word
    was yes, at whatever generation; if there are none, all do.
    """
    if controller:
        return entry.get("controllerName") == controller
    accepting = [each.get("controllerName") for each in entries if _are_yes(conditions_in(each))]
    return not accepting or entry.get("controllerName") in accepting


def _entries(route: Document, ref: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return the entries about a parent. A controller may leave out, or add, what is a default or says less."""
    namespace, status = namespace_of(route), route.get("status")
    found = status.get("parents") if isinstance(status, Mapping) else None
    entries = [each for each in _mappings(found) if isinstance(each.get("parentRef"), Mapping)]
    mine = [each for each in entries if may_be_same(each["parentRef"], ref, namespace)]
    return [each for each in mine if _part(each["parentRef"]) == _part(ref)] or mine


def _parent(ref: Mapping[str, Any], namespace: str) -> tuple[object, ...]:
    kind = ref.get("kind") or "Gateway"
    group = ref.get("group") or (GATEWAY_API if kind == "Gateway" else "")
    return group, kind, ref.get("namespace") or namespace, ref.get("name")


def _part(ref: Mapping[str, Any]) -> tuple[object, object]:
    return ref.get("sectionName") or None, ref.get("port") or None


def may_be_same(one: Mapping[str, Any], other: Mapping[str, Any], namespace: str) -> bool:
    """Say whether two parentRefs of routes of a namespace may mean the same listener: one may say less."""
    parts = zip(_part(one), _part(other), strict=True)
    is_like = all(left == right or None in (left, right) for left, right in parts)
    return is_like and _parent(one, namespace) == _parent(other, namespace)


def _where(ref: Mapping[str, Any], namespace: str) -> str:
    name = f"{ref.get('kind') or 'Gateway'} `{ref.get('namespace') or namespace}/{ref.get('name')}`"
    at_port = f"{name} at port {ref['port']}" if ref.get("port") else name
    return f"Listener `{ref['sectionName']}` of {at_port}" if ref.get("sectionName") else at_port


def _age(route: Document, condition: Mapping[str, Any], generation: int) -> _Age:
    seen = condition.get("observedGeneration")
    if not isinstance(seen, int) or not 0 < seen <= route["metadata"]["generation"]:
        return _Age.UNKNOWN
    return _Age.OF_GENERATION if seen >= generation else _Age.OLDER


def _accepts(route: Document, generation: int, entry: Mapping[str, Any]) -> bool:
    return _are_yes(each for each in conditions_in(entry) if _age(route, each, generation) is _Age.OF_GENERATION)


def _are_yes(conditions: Iterable[Mapping[str, Any]]) -> bool:
    return {each["type"] for each in conditions if each.get("status") == "True"}.issuperset(ACCEPTING)


def _noes(route: Document, generation: int, entry: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the conditions that say no, unless it is about an older generation."""
    for each in conditions_in(entry):
        no = (_NO | _NOT_PROGRAMMED).get(each["type"])
        if no and each.get("status") == no and _age(route, each, generation) is not _Age.OLDER:
            yield each


def _objections(
    route: Document, generation: int, ours: Ours, where: str, entry: Mapping[str, Any]
) -> Iterator[Objection]:
    for each in _noes(route, generation, entry):
        if each["type"] in _NOT_PROGRAMMED:
            yield objection(where, each, Bars.PROGRAM, each.get("observedGeneration"))
            continue
        message = str(each.get("message") or "")
        named, is_about_canary = rules_named(message, rules_of(route)), _mentions(message, ours.canary)
        is_ours = bool(named & ours.rules) or is_about_canary
        is_in_part = bool(named) or each["type"] == "PartiallyInvalid"
        bars = Bars.PART if is_in_part and not is_ours else Bars.ROUTE
        yield objection(where, each, bars, sorted(named), is_about_canary)


def rules_named(message: str, rules: Sequence[Document]) -> frozenset[int]:
    """Return the places, counted from 0, of the rules that a message names: ``Dropped Rule 2``, ``Rules 1, 3``,
    ``spec.rules[1]``, or by a rule's name. A number counts from 1, unless one is 0 or it is the index of ``rules``.
    """
    indexes = {number for found in _INDEXES.findall(message) for number in _numbers(found)}
    listed = [_numbers(" ".join(found)) for found in _NUMBERS.findall(_INDEXES.sub(" ", message))]
    numbers = set().union(*listed)
    first = 0 if any(found[0] == 0 for found in listed) else 1
    named = {place for place, rule in enumerate(rules) if _is_named(message, rule.get("name"))}
    return frozenset((indexes | {number - first for number in numbers} | named) & set(range(len(rules))))


def _numbers(text: str) -> Sequence[int]:
    """Return the numbers of a list like ``1, 3-5 and 7``; there is at least one."""
    ends = [(int(first), int(last or first)) for first, last in _RANGE.findall(text)]
    return [number for first, last in ends for number in (range(first, last + 1) if first <= last else (first, last))]


def _is_named(message: str, name: object) -> bool:
    pattern = rf"\brules?\W{{1,3}}{re.escape(str(name))}(?![\w-])"
    return bool(name) and re.search(pattern, message, re.IGNORECASE) is not None


def _mentions(message: str, pool: str) -> bool:
    """Say whether a message names a pool, or what is called after it (its picker, a host); the old pool's name may
    begin the new one's.
    """
    return any(word == pool or word.startswith((f"{pool}-", f"{pool}.")) for word in _words(message))


def _words(message: str) -> Collection[str]:
    return {word.strip(".") for word in _WORD.findall(message)}


def _note(where: str, entry: Mapping[str, Any]) -> str:
    controller = redacted(entry.get("controllerName")) or "without a name"
    return f"Controller `{controller}` says no for {where}, which is another controller's: that does not count."
