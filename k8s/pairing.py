"""Find, among the routes of the bot's namespaces, the one whose traffic a canary will take, and its rules. Pure.

A route may live in another namespace than the pools. People name the stable pool only if they must: it is the only
other InferencePool with weight in a rule. If that does not give one route and one pool, the error offers commands that
do.
"""

import json
from collections.abc import Iterator, Sequence

from bot.domain.errors import RouteError
from bot.domain.rollout import Pool, Rule
from bot.domain.slips import likely_meant
from bot.engine.route_port import RouteCopy
from k8s.document import (
    Document,
    full_name,
    namespace_of,
    places,
    pool_of,
    refs_of,
    rule_key,
    rule_label,
    rules_of,
    weight_of,
)
from k8s.old_group import OLD_GROUP, of_old_group
from k8s.search import Search, listed, one_of

Choice = tuple[RouteCopy, Pool]


def choose(search: Search, copies: Sequence[RouteCopy], canary: Pool) -> Choice:
    """Return the only route and stable pool that the words fit. Raises RouteError with commands ready to copy."""
    routes = _named(search, [copy for copy in copies if _concerns(copy, canary)], canary)
    choices = _choices(search, routes, canary, strict=True)
    if not choices:
        _refuse_mixed(search, routes, canary)
        choices = _choices(search, routes, canary, strict=False)
    if not choices:
        raise _nothing(search, routes, canary)
    if len(choices) > 1:
        raise _several(search, choices, canary)
    return choices[0]


def rules_for(search: Search, copy: RouteCopy, stable: Pool, canary: Pool) -> tuple[Rule, ...]:
    """Return the rules of a route that hold the stable pool. Raises RouteError if one of them cannot be moved."""
    route = copy.document
    _require_alike(stable, canary)
    found = [(i, rule) for i, rule in _rules(search, route) if places(rule, stable, namespace_of(route))]
    if not search.words.rule:
        found = [(i, rule) for i, rule in found if not _is_pinned(route, rule, stable, canary)] or found
    rules: list[Rule] = []
    refusals: list[RouteError] = []
    for index, rule in found:
        try:
            rules.append(_rule(search, route, index, rule, stable, canary))
        except RouteError as error:
            refusals.append(error)
    if refusals:
        raise _with_the_others(search, route, refusals[0], rules)
    return tuple(rules)


def _require_alike(stable: Pool, canary: Pool) -> None:
    """Raise RouteError if the pools differ in what a rollout cannot bridge."""
    if stable.group == OLD_GROUP:
        raise of_old_group(stable.name)
    if (stable.namespace, stable.group) != (canary.namespace, canary.group):
        raise RouteError(
            f"`{stable.namespace}/{stable.name}` ({stable.group}) and `{canary.namespace}/{canary.name}` "
            f"({canary.group}) are not of the same namespace and group.",
            hint="Deploy the new pool beside the old one, with the same API group.",
        )


def _is_pinned(route: Document, rule: Document, stable: Pool, canary: Pool) -> bool:
    """Say whether a rule gives the canary all the traffic of the pair, as one for testers does."""
    namespace, refs = namespace_of(route), refs_of(rule)
    old, new = ([weight_of(refs[place]) for place in places(rule, pool, namespace)] for pool in (stable, canary))
    return sum(new) > 0 and sum(old) == 0


def _with_the_others(search: Search, route: Document, error: RouteError, others: Sequence[Rule]) -> RouteError:
    """Offer the rules that can move, if one cannot."""
    if not others:
        return error
    labels = ",".join(_typed_rule(rules_of(route)[rule.index], rule.index) for rule in others)
    return RouteError(error.message, hint=f"{error.hint} Or move the others: {search.offer(rule=labels)}.")


def _typed_rule(rule: Document, index: int) -> str:
    """Return what people type for a rule: its name, else its number, counted from 1."""
    return str(rule.get("name") or index + 1)


def _concerns(copy: RouteCopy, canary: Pool) -> bool:
    """Say whether a route is in the namespace of the pools, or sends to a pool there."""
    if copy.namespace == canary.namespace:
        return True
    refs = (ref for rule in rules_of(copy.document) for ref in refs_of(rule))
    return any(pool and pool.namespace == canary.namespace for ref in refs if (pool := pool_of(ref, copy.namespace)))


def _named(search: Search, copies: Sequence[RouteCopy], canary: Pool) -> Sequence[RouteCopy]:
    """Return the routes that ``route=`` leaves: a name, or namespace/name."""
    alive = [copy for copy in copies if not copy.document["metadata"].get("deletionTimestamp")]
    name = search.words.route
    found = [copy for copy in alive if name in ("", copy.name, full_name(copy.document))]
    if name and not found:
        typed = sorted(_typed_route(copy, canary) for copy in alive)
        names = likely_meant(name, typed) or typed
        raise RouteError(
            f"There is no HTTPRoute `{name}` in {_where(search)}.",
            hint=one_of(search.offer(route=each) for each in names) if names else "Create one first.",
        )
    return found


def _typed_route(copy: RouteCopy, canary: Pool) -> str:
    """Return what people type for a route: its name, with its namespace before it if that is not the pools'."""
    return copy.name if copy.namespace == canary.namespace else full_name(copy.document)


def _where(search: Search) -> str:
    """Name the namespaces whose routes were looked at."""
    return f"namespace{'s' if len(search.namespaces) > 1 else ''} {listed(search.namespaces)}"


def _rules(search: Search, route: Document) -> Iterator[tuple[int, Document]]:
    """Yield the rules that ``rule=`` leaves: names, numbers counted from 1, or paths, with commas between them.

    A number that is a rule's name means that rule.
    """
    wanted = set(filter(None, search.words.rule.split(",")))
    names = {rule.get("name") for rule in rules_of(route)}
    for index, rule in enumerate(rules_of(route)):
        number = {str(index + 1)} - names
        paths = {str((match.get("path") or {}).get("value")) for match in rule.get("matches") or ()}
        if not wanted or wanted & {rule.get("name"), *number, *paths}:
            yield index, rule


def _choices(search: Search, copies: Sequence[RouteCopy], canary: Pool, *, strict: bool) -> list[Choice]:
    """Return the routes and pools that fit; ``strict``: the only other pool with weight in a rule, else any."""
    return [(copy, pool) for copy in copies for pool in _fitting(search, copy, canary, strict=strict)]


def _fitting(search: Search, copy: RouteCopy, canary: Pool, *, strict: bool) -> list[Pool]:
    """Return the pools of one route that fit, each once."""
    fitting: list[Pool] = []
    for _, rule in _rules(search, copy.document):
        others = _others(rule, copy.namespace, canary, weighted=strict)
        at_home = [pool for pool in others if canary.namespace in (copy.namespace, pool.namespace)]
        named = [pool for pool in at_home if search.words.stable in ("", pool.name)]
        if len(named) == 1 or not strict:
            fitting += named
    return list(dict.fromkeys(fitting))


def _others(rule: Document, namespace: str, canary: Pool, *, weighted: bool) -> list[Pool]:
    """Return the pools of a rule beside the canary, each once."""
    refs = [ref for ref in refs_of(rule) if not weighted or weight_of(ref) > 0]
    pools = [pool for ref in refs if (pool := pool_of(ref, namespace))]
    return [pool for pool in dict.fromkeys(pools) if pool != canary]


def _nothing(search: Search, copies: Sequence[RouteCopy], canary: Pool) -> RouteError:
    words = search.words
    if words.rule and not any(True for copy in copies for _ in _rules(search, copy.document)):
        names = {_typed_rule(rule, at) for copy in copies for at, rule in enumerate(rules_of(copy.document))}
        hint = one_of(search.offer(rule=name) for name in sorted(names)) if names else "Leave `rule=` out."
        return RouteError(f"No HTTPRoute in {_where(search)} has a rule `{words.rule}`.", hint=hint)
    if words.stable:
        pools = {p.name for copy in copies for r in rules_of(copy.document) for p in _held(r, copy, canary)}
        hint = (
            one_of(search.offer(stable=name) for name in sorted(pools)) if pools else "Check the routes' backendRefs."
        )
        return RouteError(f"No HTTPRoute in {_where(search)} sends to `{words.stable}`.", hint=hint)
    documents = [copy.document for copy in copies]
    holders = [each for each in documents if any(places(r, canary, namespace_of(each)) for r in rules_of(each))]
    if holders:
        return RouteError(
            f"`{canary.name}` is the only InferencePool of HTTPRoute `{full_name(holders[0])}`: there is no pool to "
            "take traffic from.",
            hint="Name the new pool, not the one that serves now.",
        )
    return RouteError(
        f"No HTTPRoute in {_where(search)} sends traffic to an InferencePool.",
        hint="Point a route at the pool that serves now, or name another namespace with `namespace=`.",
    )


def _held(rule: Document, copy: RouteCopy, canary: Pool) -> list[Pool]:
    return _others(rule, copy.namespace, canary, weighted=False)


def _refuse_mixed(search: Search, copies: Sequence[RouteCopy], canary: Pool) -> None:
    """Refuse a rule that splits between two other pools: no ``from=`` fits it, so do not offer one."""
    for copy in copies:
        for index, rule in _rules(search, copy.document):
            others = _others(rule, copy.namespace, canary, weighted=True)
            if len(others) > 1 and search.words.stable in ("", *(pool.name for pool in others)):
                _refuse_third(copy.document, index, rule, others[0], canary)


def _several(search: Search, choices: Sequence[Choice], canary: Pool) -> RouteError:
    routes, pools = {full_name(copy.document) for copy, _ in choices}, {pool.name for _, pool in choices}
    offers = [
        search.offer(
            route=_typed_route(copy, canary) if len(routes) > 1 else "", stable=pool.name if len(pools) > 1 else ""
        )
        for copy, pool in choices
    ]
    what = "HTTPRoute" if len(routes) > 1 else "pool to take traffic from"
    return RouteError(f"More than one {what} fits `{search.canary}`.", hint=one_of(offers))


def _rule(search: Search, route: Document, index: int, rule: Document, stable: Pool, canary: Pool) -> Rule:
    namespace, refs = namespace_of(route), refs_of(rule)
    ours, theirs = places(rule, stable, namespace), places(rule, canary, namespace)
    where = f"`{rule_label(rule, index)}` of HTTPRoute `{full_name(route)}`"
    if len(ours) > 1 or len(theirs) > 1:
        twice = stable if len(ours) > 1 else canary
        raise RouteError(f"{where} holds `{twice.name}` twice.", hint="Merge the two backendRefs into one first.")
    _refuse_third(route, index, rule, stable, canary)
    before, taken = weight_of(refs[ours[0]]), weight_of(refs[theirs[0]]) if theirs else None
    if before == 0:
        raise RouteError(
            f"{where} gives `{stable.name}` weight 0: there is no traffic to move.",
            hint="Give it weight first, or choose other rules with `rule=`.",
        )
    if taken and search.words.weight and taken * 100 > search.words.weight * (before + taken):
        share = -(-taken * 100 // (before + taken))
        raise RouteError(
            f"{where} already gives `{canary.name}` about {share} %, more than the first weight {search.words.weight}.",
            hint=f"Start at {share} % or above, or lower its weight first.",
        )
    return Rule(
        key=rule_key(rule),
        index=index,
        stable_ref=json.dumps(refs[ours[0]], separators=(",", ":")),
        stable_index=ours[0],
        stable_before=before,
        canary_before=taken,
    )


def _refuse_third(route: Document, index: int, rule: Document, stable: Pool, canary: Pool) -> None:
    for ref in refs_of(rule):
        if weight_of(ref) > 0 and pool_of(ref, namespace_of(route)) not in (stable, canary):
            raise RouteError(
                f"`{rule_label(rule, index)}` of HTTPRoute `{full_name(route)}` also sends to "
                f"{ref.get('kind', 'Service')} `{ref['name']}` (weight {weight_of(ref)}), besides `{stable.name}`.",
                hint="Give it weight 0 or remove it: a rollout moves traffic between two pools only.",
            )
