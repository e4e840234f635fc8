"""Read an HTTPRoute document: its rules, their backendRefs, and where a rollout's rules stand now. Pure.

A backendRef is known by group, kind, namespace and name, never by its place and never by a prefix: the stable
pool's name is a prefix of the canary's in the guide. A rule is known by its name, else by its matches.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from bot.domain.rollout import Pool, Rollout

Document = Mapping[str, Any]

ANNOTATION: Final = "rolloutbot.dev/rollout"

FIELD_MANAGER: Final = "rolloutbot"
"""Who we are to the API server."""
POOL_KIND: Final = "InferencePool"


def annotation_of(document: Document) -> str | None:
    """Return the text of our annotation."""
    text = (document["metadata"].get("annotations") or {}).get(ANNOTATION)
    return text if isinstance(text, str) else None


def namespace_of(document: Document) -> str:
    """Return the namespace of an object."""
    return str(document["metadata"]["namespace"])


def full_name(document: Document) -> str:
    """Return ``namespace/name`` of an object."""
    return f"{namespace_of(document)}/{document['metadata']['name']}"


def rules_of(document: Document) -> Sequence[Document]:
    """Return the rules of a route."""
    return document.get("spec", {}).get("rules") or ()


def refs_of(rule: Document) -> Sequence[Document]:
    """Return the backendRefs of a rule."""
    return rule.get("backendRefs") or ()


def weight_of(ref: Document) -> int:
    """Return the weight of a backendRef; the default is 1."""
    return int(ref.get("weight", 1))


def backend_of(ref: Document, namespace: str) -> tuple[str, str, str, str]:
    """Return (group, kind, namespace, name) of a backendRef in a route of ``namespace``."""
    return (
        str(ref.get("group") or ""),
        str(ref.get("kind") or "Service"),
        str(ref.get("namespace") or namespace),
        str(ref["name"]),
    )


def pool_of(ref: Document, namespace: str) -> Pool | None:
    """Return the InferencePool that a backendRef names; None if it names something else."""
    group, kind, where, name = backend_of(ref, namespace)
    return Pool(where, name, group) if kind == POOL_KIND else None


def places(rule: Document, pool: Pool, namespace: str) -> tuple[int, ...]:
    """Return the indices of a rule's backendRefs that name ``pool``."""
    return tuple(index for index, ref in enumerate(refs_of(rule)) if pool_of(ref, namespace) == pool)


def mirrors_of(rule: Document) -> Iterator[Document]:
    """Yield every ``requestMirror`` of a rule, of its backendRefs too, that has a backendRef."""
    for holder in (rule, *refs_of(rule)):
        mirrors = (each.get("requestMirror") or {} for each in holder.get("filters") or ())
        yield from (mirror for mirror in mirrors if mirror.get("backendRef"))


def pools_reached(route: Document) -> frozenset[Pool]:
    """Return the pools that a route gives weight, or mirrors requests to."""
    namespace, rules = namespace_of(route), rules_of(route)
    weighted = (ref for rule in rules for ref in refs_of(rule) if weight_of(ref) > 0)
    mirrors = (mirror["backendRef"] for rule in rules for mirror in mirrors_of(rule))
    return frozenset(pool for ref in (*weighted, *mirrors) if (pool := pool_of(ref, namespace)))


def own_mirrors(rule: Document, rollout: Rollout, namespace: str) -> Sequence[int]:
    """Return the indices of a rule's filters that mirror to the canary because the rollout wants it."""
    if not rollout.plan.mirror:
        return ()
    return [
        at
        for at, each in enumerate(rule.get("filters") or ())
        if (ref := (each.get("requestMirror") or {}).get("backendRef")) and pool_of(ref, namespace) == rollout.canary
    ]


def rule_key(rule: Document) -> str:
    """Return the key of a rule: its name, else a digest of its matches (with ``#``, which no name contains)."""
    return str(rule["name"]) if rule.get("name") else _digest(rule)


def rule_label(rule: Document, index: int) -> str:
    """Name a rule for people."""
    return str(rule["name"]) if rule.get("name") else f"rule {index + 1}"


def _digest(rule: Document) -> str:
    text = canonical(rule.get("matches") or [])
    return "#" + hashlib.sha256(text.encode()).hexdigest()[:16]


def canonical(value: Any) -> str:
    """Write JSON that ignores the order of keys and of alternatives, which has no meaning in a match."""
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{json.dumps(key)}:{canonical(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(sorted(canonical(part) for part in value)) + "]"
    return json.dumps(value)


def locate(document: Document, rollout: Rollout) -> tuple[int | None, ...]:
    """Return where each rule of the rollout is in the document now; None if it is not found.

    The index is a hint among rules with the same key. A single rule that lost its key, because somebody edited
    its matches or its name, is still found as the single other rule that holds both pools: the brake must not
    depend on a path prefix.
    """
    found: list[int | None] = [None] * len(rollout.rules)
    for key in {rule.key for rule in rollout.rules}:
        mine = [place for place, rule in enumerate(rollout.rules) if rule.key == key]
        for place, index in _same_key(document, rollout, key, mine):
            found[place] = index
    lost = [place for place, index in enumerate(found) if index is None]
    spare = [index for index in _holding(document, rollout, both=True) if index not in found]
    if len(lost) == len(spare) == 1:
        found[lost[0]] = spare[0]
    return tuple(found)


def has_rules_beside(document: Document, rollout: Rollout) -> bool:
    """Say whether the route has rules with one of our pools that are not the rollout's."""
    return not {*_holding(document, rollout, both=False)} <= {*locate(document, rollout)}


def _same_key(document: Document, rollout: Rollout, key: str, mine: list[int]) -> list[tuple[int, int]]:
    """Pair rules of the rollout that share a key with rules of the document that have it."""
    candidates = [index for index, rule in enumerate(rules_of(document)) if key in (rule.get("name"), _digest(rule))]
    holding = _holding(document, rollout, both=False)
    ours = [index for index in candidates if index in holding]
    if len(ours) == len(mine):
        return list(zip(mine, ours, strict=True))
    return [(place, index) for place in mine if (index := rollout.rules[place].index) in candidates]


def _holding(document: Document, rollout: Rollout, *, both: bool) -> list[int]:
    """Return the indices of rules that hold one of our pools, or both; our mirror holds the canary too."""
    namespace = namespace_of(document)
    enough = all if both else any
    return [
        index
        for index, rule in enumerate(rules_of(document))
        if enough(
            (
                places(rule, rollout.stable, namespace),
                places(rule, rollout.canary, namespace) or own_mirrors(rule, rollout, namespace),
            )
        )
    ]
