"""The route: which rules move, what else is in them, and which other routes have to do with the same pools."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from bot.domain.check import Line, fine, warn
from bot.domain.rollout import Pool
from k8s.checks.scene import Scene
from k8s.document import (
    Document,
    backend_of,
    full_name,
    namespace_of,
    places,
    refs_of,
    rule_label,
    rules_of,
    sends_to,
    weight_of,
)
from k8s.search import listed

TOPIC: Final = "Route"
MOST_NAMES: Final = 5
_STAGES: Final = ("prefill", "decode")


def lines(scene: Scene) -> Iterator[Line]:
    """Yield what was found."""
    yield _moving(scene)
    yield from _left_alone(scene)
    for place in (rule.index for rule in scene.rules):
        yield from _in_rule(scene, place, rules_of(scene.copy.document)[place])
    yield from _other_routes(scene)
    yield from _older_routes(scene)


def _moving(scene: Scene) -> Line:
    route, rules = scene.copy.document, rules_of(scene.copy.document)
    labels = listed(rule_label(rules[rule.index], rule.index) for rule in scene.rules)
    return fine(TOPIC, f"{labels} of HTTPRoute `{full_name(route)}` moves from `{scene.stable.name}`.")


def _left_alone(scene: Scene) -> Iterator[Line]:
    """Yield the rules that hold one of the pools and do not move."""
    route, moving = scene.copy.document, {rule.index for rule in scene.rules}
    for index, rule in enumerate(rules_of(route)):
        if index in moving:
            continue
        label, held = rule_label(rule, index), _weights(route, rule, scene)
        if held.get(scene.stable):
            yield warn(TOPIC, f"`{label}` also sends to `{scene.stable.name}` and does not move.")
        elif held.get(scene.canary):
            yield warn(TOPIC, f"`{label}` sends to `{scene.canary.name}` already and is left alone.")


def _weights(route: Document, rule: Document, scene: Scene) -> Mapping[Pool, int]:
    refs, namespace = refs_of(rule), namespace_of(route)
    return {
        pool: weight_of(refs[at[0]]) for pool in (scene.stable, scene.canary) if (at := places(rule, pool, namespace))
    }


def _in_rule(scene: Scene, index: int, rule: Document) -> Iterator[Line]:
    label, namespace = rule_label(rule, index), scene.copy.namespace
    for ref in refs_of(rule):
        if ref.get("filters") and backend_of(ref, namespace)[3] == scene.stable.name:
            kinds = listed(str(each.get("type")) for each in ref["filters"])
            yield warn(
                TOPIC,
                f"The backendRef of `{scene.stable.name}` in `{label}` has filters ({kinds}), which are copied.",
                "Look whether they name a version of the model.",
            )
    for name, share in _mirrors(rule, namespace):
        if name == scene.canary.name:
            yield warn(TOPIC, f"`{label}` also mirrors {share} of its requests to `{name}`, and will go on with that.")
        elif name == scene.stable.name:
            yield warn(TOPIC, f"`{label}` mirrors {share} of its requests to `{name}`: do not delete that afterwards.")
    for stage in _stages(rule):
        yield warn(
            TOPIC,
            f"`{label}` matches requests of the stage `{stage}`: one request may go to both pools.",
            "Move the rules of all stages together.",
        )


def _mirrors(rule: Document, namespace: str) -> Iterator[tuple[str, str]]:
    """Yield the pools that a rule mirrors requests to, and which share of them."""
    for each in rule.get("filters") or ():
        mirror: Mapping[str, Any] = each.get("requestMirror") or {}
        if target := mirror.get("backendRef"):
            percent, fraction = mirror.get("percent"), mirror.get("fraction")
            share = f"{percent} %" if percent is not None else "all"
            if fraction:
                share = f"{fraction.get('numerator')}/{fraction.get('denominator', 100)}"
            yield backend_of(target, namespace)[3], share


def _stages(rule: Document) -> Sequence[str]:
    headers = [header for match in rule.get("matches") or () for header in match.get("headers") or ()]
    words = " ".join(f"{header.get('name')} {header.get('value')}" for header in headers).lower()
    return [stage for stage in _STAGES if stage in words]


def _other_routes(scene: Scene) -> Iterator[Line]:
    """Yield the other routes that send to the old pool: a roll out of this one leaves them where they are."""
    others = [each for each in scene.routes if not _is_same(each, scene.copy.document) and sends_to(each, scene.stable)]
    names = [full_name(route) for route in others]
    if len(names) == 1:
        yield warn(
            TOPIC,
            f"HTTPRoute `{names[0]}` also sends to `{scene.stable.name}`, and stays there.",
            "Roll it out too before you delete that pool.",
        )
    elif names:
        more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
        yield warn(
            TOPIC,
            f"{len(names)} other HTTPRoutes also send to `{scene.stable.name}`, and stay there: "
            f"{listed(names[:MOST_NAMES])}{more}.",
            "Roll them out too before you delete that pool.",
        )


def _older_routes(scene: Scene) -> Iterator[Line]:
    """Yield older routes of the same Gateway, with the same hosts and a match of ours: they get those requests."""
    mine = scene.copy.document
    matches = {_canonical(match) for rule in scene.rules for match in _matches(rules_of(mine)[rule.index])}
    for route in scene.routes:
        theirs = {_canonical(match) for rule in rules_of(route) for match in _matches(rule)}
        if theirs & matches and _comes_before(route, mine):
            yield warn(
                TOPIC,
                f"HTTPRoute `{full_name(route)}` is older and has the same hosts and match: it gets the requests.",
                "Roll that one out, or take its match away.",
            )


def _comes_before(route: Document, mine: Document) -> bool:
    """Say whether another route of the same Gateway, with the same hosts, is older."""
    is_other = not _is_same(route, mine) and _created(route) < _created(mine)
    return is_other and bool(_parents(route) & _parents(mine)) and _hosts(route) == _hosts(mine)


def _is_same(one: Document, other: Document) -> bool:
    return bool(one["metadata"]["uid"] == other["metadata"]["uid"])


def _created(route: Document) -> str:
    return str(route["metadata"].get("creationTimestamp") or "")


def _parents(route: Document) -> set[tuple[str, str]]:
    refs = route.get("spec", {}).get("parentRefs") or ()
    return {(str(ref.get("namespace") or namespace_of(route)), str(ref.get("name"))) for ref in refs}


def _hosts(route: Document) -> frozenset[str]:
    return frozenset(route.get("spec", {}).get("hostnames") or ())


def _matches(rule: Document) -> Sequence[Document]:
    return rule.get("matches") or ({"path": {"type": "PathPrefix", "value": "/"}},)


def _canonical(match: Document) -> str:
    return repr(sorted((key, repr(value)) for key, value in match.items()))
