"""The route: which rules move, what else is in them, and which other routes have to do with the same pools."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from bot.domain.check import Line, fine, stop, warn
from bot.domain.rollout import Pool
from k8s.checks.scene import Scene
from k8s.document import (
    Document,
    canonical,
    full_name,
    mirrors_of,
    namespace_of,
    places,
    pool_of,
    pools_reached,
    refs_of,
    rule_label,
    rules_of,
    weight_of,
)
from k8s.reference_grants import permits
from k8s.route_status import may_be_same, parent_refs
from k8s.search import listed, some

TOPIC: Final = "Route"
_STAGES: Final = ("prefill", "decode")


def lines(scene: Scene) -> Iterator[Line]:
    """Yield what was found."""
    yield _moving(scene)
    yield from _grant(scene)
    yield from _left_alone(scene)
    rules = rules_of(scene.copy.document)
    for place in (rule.index for rule in scene.rules):
        yield from _in_rule(scene, place, rules[place])
    for place, rule in enumerate(rules):
        yield from _mirrored(scene, rule_label(rule, place), rule)
    yield from _other_routes(scene)
    yield from _unread(scene)
    yield from _older_routes(scene)


def _moving(scene: Scene) -> Line:
    route, rules = scene.copy.document, rules_of(scene.copy.document)
    labels = listed(rule_label(rules[rule.index], rule.index) for rule in scene.rules)
    return fine(TOPIC, f"{labels} of HTTPRoute `{full_name(route)}` moves from `{scene.stable.name}`.")


def _grant(scene: Scene) -> Iterator[Line]:
    """Yield whether a route of another namespace may send to the new pool."""
    here, there, pool = scene.copy.namespace, scene.canary.namespace, scene.canary.name
    if here == there:
        return
    if scene.grants is None:
        yield warn(
            TOPIC,
            f"I could not read the ReferenceGrants of namespace `{there}`: one must let HTTPRoutes of `{here}` send to "
            f"InferencePool `{pool}`.",
        )
    elif permits(scene.grants, here, scene.canary):
        yield fine(TOPIC, f"A ReferenceGrant lets HTTPRoutes of namespace `{here}` send to `{there}/{pool}`.")
    else:
        yield stop(
            TOPIC,
            f"No ReferenceGrant in namespace `{there}` lets HTTPRoutes of namespace `{here}` send to InferencePool "
            f"`{pool}`: the gateway would answer its share with errors.",
            "Add one for that pool, or for all InferencePools.",
        )


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
        if ref.get("filters") and pool_of(ref, namespace) == scene.stable:
            kinds = listed(str(each.get("type")) for each in ref["filters"])
            yield warn(
                TOPIC,
                f"The backendRef of `{scene.stable.name}` in `{label}` has filters ({kinds}), which are copied.",
                "Look whether they name a version of the model.",
            )
    for stage in _stages(rule):
        yield warn(
            TOPIC,
            f"`{label}` matches requests of the stage `{stage}`: one request may go to both pools.",
            "Move the rules of all stages together.",
        )


def _mirrored(scene: Scene, label: str, rule: Document) -> Iterator[Line]:
    """Yield the mirrors to one of the pools: they stay, in rules that move and in others."""
    for mirror in mirrors_of(rule):
        pool, share = pool_of(mirror["backendRef"], scene.copy.namespace), _share(mirror)
        if pool == scene.canary:
            said = f"`{label}` also mirrors {share} of its requests to `{pool.name}`, and will go on with that."
            yield warn(TOPIC, said)
        elif pool == scene.stable:
            said = f"`{label}` mirrors {share} of its requests to `{pool.name}`: do not delete that afterwards."
            yield warn(TOPIC, said)


def _share(mirror: Document) -> str:
    """Say which share of the requests is mirrored."""
    if fraction := mirror.get("fraction"):
        return f"{fraction.get('numerator')}/{fraction.get('denominator', 100)}"
    percent = mirror.get("percent")
    return "all" if percent is None else f"{percent} %"


def _stages(rule: Document) -> Sequence[str]:
    headers = [header for match in rule.get("matches") or () for header in match.get("headers") or ()]
    words = " ".join(f"{header.get('name')} {header.get('value')}" for header in headers).lower()
    return [stage for stage in _STAGES if stage in words]


def _other_routes(scene: Scene) -> Iterator[Line]:
    """Yield the other routes that send to the old pool: a roll out of this one leaves them where they are."""
    others = [
        each for each in scene.routes if not _is_same(each, scene.copy.document) and scene.stable in pools_reached(each)
    ]
    names = [full_name(route) for route in others]
    if len(names) == 1:
        yield warn(
            TOPIC,
            f"HTTPRoute `{names[0]}` also sends to `{scene.stable.name}`, and stays there.",
            "Roll it out too before you delete that pool.",
        )
    elif names:
        yield warn(
            TOPIC,
            f"{len(names)} other HTTPRoutes also send to `{scene.stable.name}`, and stay there: {some(names)}.",
            "Roll them out too before you delete that pool.",
        )


def _unread(scene: Scene) -> Iterator[Line]:
    if scene.unread:
        namespaces = f"namespace{'s' if len(scene.unread) > 1 else ''} {listed(scene.unread)}"
        yield warn(
            TOPIC,
            f"I may not list the HTTPRoutes of {namespaces}: some may send to `{scene.stable.name}` too.",
            "See `check-config --cluster` for the missing right.",
        )


def _older_routes(scene: Scene) -> Iterator[Line]:
    """Yield the routes that come before this one where a host and a match are the same: they get those requests."""
    mine = scene.copy.document
    matches = {_as_one(match) for rule in scene.rules for match in _matches(rules_of(mine)[rule.index])}
    before = [each for each in scene.routes if _comes_before(each, mine) and matches & _matches_of(each)]
    names = [full_name(route) for route in sorted(before, key=_age)]
    if len(names) == 1:
        yield warn(
            TOPIC,
            f"HTTPRoute `{names[0]}` takes precedence over this one: it has the same host and match, so it gets those "
            "requests.",
            "Roll that one out, or remove its match.",
        )
    elif names:
        yield warn(
            TOPIC,
            f"{len(names)} HTTPRoutes take precedence over this one: they share a host and a match with it, so they "
            f"get those requests: {some(names)}.",
            "Roll out those that should serve these requests, or remove their matches.",
        )


def _matches_of(route: Document) -> frozenset[str]:
    return frozenset(_as_one(match) for rule in rules_of(route) for match in _matches(rule))


def _comes_before(route: Document, mine: Document) -> bool:
    """Say whether another route has a listener and a host of ours, and is older; of the same age, the first by name."""
    is_other = not _is_same(route, mine) and _age(route) < _age(mine)
    return is_other and _shares_listener(route, mine) and bool(_hosts(route) & _hosts(mine))


def _is_same(one: Document, other: Document) -> bool:
    return bool(one["metadata"]["uid"] == other["metadata"]["uid"])


def _age(route: Document) -> tuple[str, str]:
    return str(route["metadata"].get("creationTimestamp") or ""), full_name(route)


def _parents(route: Document) -> Sequence[Document]:
    return [{**ref, "namespace": ref.get("namespace") or namespace_of(route)} for ref in parent_refs(route)]


def _shares_listener(one: Document, other: Document) -> bool:
    """Say whether two routes may have a listener in common."""
    return any(may_be_same(left, right, "") for left in _parents(one) for right in _parents(other))


def _hosts(route: Document) -> frozenset[str]:
    """Return the hosts of a route; one without any has those of its listeners, so another such one has the same."""
    return frozenset(route.get("spec", {}).get("hostnames") or ("",))


def _matches(rule: Document) -> Sequence[Document]:
    return rule.get("matches") or ({"path": {"type": "PathPrefix", "value": "/"}},)


def _as_one(match: Document) -> str:
    """Write a match so that two which take the same requests are equal: `/v1/` is `/v1` to a prefix."""
    path = match.get("path") or {"type": "PathPrefix", "value": "/"}
    if path.get("type") == "PathPrefix":
        path = {**path, "value": str(path.get("value")).rstrip("/")}
    headers = [{**each, "name": str(each.get("name")).lower()} for each in match.get("headers") or ()]
    return canonical({**match, "path": path, "headers": headers})
