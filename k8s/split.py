"""The split of a route's traffic: an HTTPRoute document -> weights, and record + document -> JSON Patch. Pure.

A patch begins with tests, so that the API server refuses it if the route is no longer as we read it. A step tests the
route's generation, which covers every index that it uses; if somebody keeps editing other fields, it tests what each
backendRef that it touches *is*, and its weight. A roll back tests only what they are: other people's edits must not
stop the brake. If somebody keeps editing our annotation, a roll back does not test that either.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from bot.domain.errors import RouteError
from bot.domain.rollout import TAKEN_BACK, Pair, Rollout, Rule, before, wanted
from bot.engine.route_port import Guard
from k8s import mirror
from k8s.document import (
    ANNOTATION,
    Document,
    annotation_of,
    full_name,
    locate,
    namespace_of,
    own_mirrors,
    places,
    refs_of,
    rules_of,
)
from k8s.lost_rules import rewritten, stray_mirrors

Operation = dict[str, Any]

_ANNOTATIONS: Final = "/metadata/annotations"
_NO_MIRROR: Final = Pair(None, None)
_IDENTITY: Final = ("group", "kind", "namespace", "name")
_NOTE: Final = f"{_ANNOTATIONS}/{ANNOTATION.replace('~', '~0').replace('/', '~1')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """Patch operations for the API server, the rules that they leave out because those are gone, and those that they
    take for them (lost_rules.py).
    """

    operations: tuple[Operation, ...]
    missing: tuple[str, ...] = ()
    taken: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """One rule of the rollout as it is now: its path and content, and the places of our two refs."""

    place: str
    now: Document
    rule: Rule
    stable: int | None
    canary: int | None
    extra: tuple[int, ...]  # other refs to the canary, which somebody else added
    doubled: bool  # one of the pools occurs more than once

    @property
    def path(self) -> str:
        """Return the path of its refs."""
        return f"{self.place}/backendRefs"

    @property
    def refs(self) -> Sequence[Document]:
        """Return its refs."""
        return refs_of(self.now)


def patch(
    document: Document, rollout: Rollout, note: str | None, *, weights: bool, guard: Guard = Guard.GENERATION
) -> Patch:
    """Return the JSON Patch that writes what the rollout wants: its ``note`` (None removes it) and, with ``weights``,
    the pair.

    Nothing else of the document changes. Both weights of a rule are always written, together.
    Raises RouteError if the route was created again, or if a step finds a rule that it cannot write.
    """
    if document["metadata"]["uid"] != rollout.route_uid:
        raise RouteError(
            f"HTTPRoute `{full_name(document)}` was deleted and created again after the rollout started.",
            hint="End this rollout and start a new one.",
        )
    braking = rollout.phase in TAKEN_BACK
    tests = [_test("/metadata/uid", rollout.route_uid)]
    if not braking:
        tests += _step_guard(document, rollout, guard)
    edits, missing = _edits(document, rollout, braking=braking) if weights else ((), ())
    tests += _note_guard(document, guard, braking=braking)
    taken = tuple(map(_name, rewritten(document, rollout))) if weights else ()
    return Patch(operations=(*tests, *edits, *_note(document, note)), missing=missing, taken=taken)


def _step_guard(document: Document, rollout: Rollout, guard: Guard) -> list[Operation]:
    """Test that the route is as we read it: its whole spec, or our backendRefs if all of them are there."""
    found = [
        _find(document, rollout, rule, index) if index is not None else None
        for rule, index in zip(rollout.rules, locate(document, rollout), strict=True)
    ]
    whole = [each for each in found if each is not None and each.stable is not None and each.canary is not None]
    if guard is Guard.GENERATION or len(whole) < len(found):
        return [_test("/metadata/generation", document["metadata"]["generation"])]
    return [test for each in whole for test in _same(document, rollout, each)]


def _same(document: Document, rollout: Rollout, found: _Found) -> Iterator[Operation]:
    """Test what of a rule a step reads and writes."""
    yield from _same_rule(document, found)
    yield from _same_refs(found)
    yield from mirror.tests(found.place, found.now, rollout, namespace_of(document))


def _same_rule(document: Document, found: _Found) -> list[Operation]:
    """Test that a path still leads to this rule: a rule without a name is known by its matches."""
    known_by = ["name"] if found.now.get("name") or len(rules_of(document)) == 1 else ["name", "matches"]
    return [_test(f"{found.place}/{field}", found.now.get(field)) for field in known_by]


def _same_refs(found: _Found) -> list[Operation]:
    """Test what our refs are, and their weights."""
    return [
        _test(f"{found.path}/{place}/{field}", found.refs[place].get(field))
        for place in sorted({place for place in (found.stable, found.canary) if place is not None})
        for field in (*_IDENTITY, "weight")
    ]


def _note_guard(document: Document, guard: Guard, *, braking: bool) -> list[Operation]:
    """Test that our annotation is as we read it. If somebody keeps editing it, a roll back does not care."""
    if document["metadata"].get("annotations") is None:
        return [_test(_ANNOTATIONS, None)]  # else the first annotation of all would overwrite those of others
    return [] if braking and guard is Guard.TOUCHED else [_test(_NOTE, annotation_of(document))]


def _note(document: Document, text: str | None) -> tuple[Operation, ...]:
    if text is None:
        return (_remove(_NOTE),) if ANNOTATION in (document["metadata"].get("annotations") or {}) else ()
    if document["metadata"].get("annotations") is None:
        return (_add(_ANNOTATIONS, {ANNOTATION: text}),)
    return (_add(_NOTE, text),)


def _edits(document: Document, rollout: Rollout, *, braking: bool) -> tuple[tuple[Operation, ...], tuple[str, ...]]:
    tests: list[Operation] = []
    edits: list[Operation] = []
    missing: list[str] = []
    namespace = namespace_of(document)
    for rule, index, pair in zip(rollout.rules, locate(document, rollout), wanted(rollout), strict=True):
        found = None if index is None else _find(document, rollout, rule, index)
        if found is None and not braking:
            raise _gone(document, rule)
        if found is None:
            missing.append(_name(rule))
        elif braking:
            tests += [*_identities(found, pair), *mirror.tests(found.place, found.now, rollout, namespace)]
            edits += _back(found, pair)
        else:
            edits += _step(document, rollout, found, pair)
        if found is not None:
            edits += mirror.edits(found.place, found.now, rollout, rule, pair, namespace)
    for rule in rewritten(document, rollout):
        if found := _find(document, rollout, rule, rule.index):
            tests += _identities(found, before(rule))
            edits += _back(found, before(rule))
    for index in stray_mirrors(document, rollout):
        place, rule_now = f"/spec/rules/{index}", rules_of(document)[index]
        tests += mirror.tests(place, rule_now, rollout, namespace)
        edits += mirror.edits(place, rule_now, rollout, rollout.rules[0], _NO_MIRROR, namespace)
    return (*tests, *edits), tuple(missing)


def _find(document: Document, rollout: Rollout, rule: Rule, index: int) -> _Found | None:
    """Find our refs in a rule; None if it holds neither pool, and so is no longer the rule we knew."""
    now = rules_of(document)[index]
    stable, canary = (places(now, pool, namespace_of(document)) for pool in (rollout.stable, rollout.canary))
    if not stable and not canary and not own_mirrors(now, rollout, namespace_of(document)):
        return None
    return _Found(
        place=f"/spec/rules/{index}",
        now=now,
        rule=rule,
        stable=stable[0] if stable else None,
        canary=canary[0] if canary else None,
        extra=canary[1:],
        doubled=len(stable) > 1 or len(canary) > 1,
    )


def _step(document: Document, rollout: Rollout, found: _Found, pair: Pair) -> list[Operation]:
    """Give both pools their weights; add the canary's ref if it is missing, drop the stable one at the end."""
    _refuse_doubtful(document, rollout, found, pair)
    edits: list[Operation] = []
    if pair.stable is not None and found.stable is not None:
        edits.append(_weigh(found, found.stable, pair.stable))
    if pair.canary is not None and found.canary is not None:
        edits.append(_weigh(found, found.canary, pair.canary))
    elif pair.canary is not None and found.stable is not None:
        edits.append(_add(f"{found.path}/-", _sibling(found.refs[found.stable], rollout.canary.name, pair.canary)))
    if pair.stable is None:
        edits += _removal(found, found.stable)
    if pair.canary is None:
        edits += _removal(found, found.canary)
    return edits


def _refuse_doubtful(document: Document, rollout: Rollout, found: _Found, pair: Pair) -> None:
    where = f"{_name(found.rule).capitalize()} of HTTPRoute `{full_name(document)}`"
    if found.doubled:
        raise RouteError(
            f"{where} holds one of the rollout's pools twice.",
            hint="Remove the second backendRef and resume, or roll back.",
        )
    if pair.stable is not None and found.stable is None:
        raise RouteError(
            f"{where} no longer holds the stable pool `{rollout.stable.name}`.",
            hint="Put its backendRef back and resume, or roll back, which puts it back.",
        )


def _back(found: _Found, pair: Pair) -> list[Operation]:
    """Undo a rollout in one rule: stable as before, put back if it is missing, the canary at 0 or removed."""
    edits = [_weigh(found, place, 0) for place in found.extra]
    if found.stable is not None:
        edits.append(_weigh(found, found.stable, found.rule.stable_before))
    if pair.canary is not None and found.canary is not None:
        edits.append(_weigh(found, found.canary, pair.canary))
    if pair.canary is None:
        edits += _removal(found, found.canary)
    if found.stable is None:
        ref = {**json.loads(found.rule.stable_ref), "weight": found.rule.stable_before}
        edits.append(_add(f"{found.path}/{_home(found, pair)}", ref))
    return edits


def _home(found: _Found, pair: Pair) -> int:
    """Return the index for the stable ref, counted after the canary's was removed."""
    left = len(found.refs) - (1 if pair.canary is None and found.canary is not None else 0)
    return min(found.rule.stable_index, left)


def _identities(found: _Found, pair: Pair) -> list[Operation]:
    """Test what each ref is that a roll back writes, or whose index it shifts."""
    touched = {place for place in (found.stable, found.canary, *found.extra) if place is not None}
    shifting = [found.canary] if pair.canary is None and found.canary is not None else []
    if found.stable is None:
        shifting.append(_home(found, pair))
    if shifting:
        touched |= set(range(min(shifting), len(found.refs)))
    return [
        _test(f"{found.path}/{place}/{field}", found.refs[place].get(field))
        for place in sorted(touched)
        for field in _IDENTITY
    ]


def _gone(document: Document, rule: Rule) -> RouteError:
    where = f"{_name(rule).capitalize()} of HTTPRoute `{full_name(document)}`"
    return RouteError(
        f"{where} is gone, or no longer holds the rollout's pools.",
        hint="Put it back and resume, or roll back.",
    )


def _name(rule: Rule) -> str:
    return f"rule {rule.index + 1}" if rule.key.startswith("#") else f"rule `{rule.key}`"


def _sibling(ref: Document, name: str, weight: int) -> Operation:
    """Copy the stable pool's ref for the canary: same group, kind, namespace, filters."""
    return {**ref, "name": name, "weight": weight}


def _removal(found: _Found, place: int | None) -> list[Operation]:
    """Remove a ref, after everything written by index: a rule loses at most one of the two, never both."""
    return [] if place is None else [_remove(f"{found.path}/{place}")]


def _weigh(found: _Found, place: int, weight: int) -> Operation:
    """``add`` replaces an existing member, and creates a missing one."""
    return _add(f"{found.path}/{place}/weight", weight)


def _test(path: str, value: object) -> Operation:
    """A test for ``null`` passes if the member is absent."""
    return {"op": "test", "path": path, "value": value}


def _add(path: str, value: object) -> Operation:
    return {"op": "add", "path": path, "value": value}


def _remove(path: str) -> Operation:
    return {"op": "remove", "path": path}
