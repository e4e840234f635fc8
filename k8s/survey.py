"""The start of a rollout: find the route, the two pools and the rules, and say what prevents it.

It only reads: one list of pools for each namespace, one of routes, the Gateways, and what shows whether the pools can
serve.
"""

from collections.abc import Iterator, Mapping, Sequence

from kubernetes.client import ApiClient

from bot.domain.errors import NotHereError, RouteError
from bot.domain.rollout import Pool
from bot.domain.slips import likely_meant
from bot.engine.gateway_word import GatewayWord
from bot.engine.notes import Notes
from bot.engine.route_port import RouteCopy, Survey
from k8s import httproute, inferencepool, owners, pairing
from k8s.document import Document, full_name
from k8s.gateways import Gateways
from k8s.route_status import ANY_GENERATION, Ours, gateway_word
from k8s.search import Search, listed, one_of

MOST_NAMES = 3


def survey(api: ApiClient, search: Search, notes: Notes, gateways: Gateways) -> Survey:
    """Find everything that a start needs. Raises RouteError with one sentence and the next action."""
    pools = {name: inferencepool.list_pools(api, name) for name in _namespaces(search)}
    canary = _canary(search, pools)
    copy, stable = pairing.choose(search, httproute.list_routes(api, canary.namespace, notes), canary)
    rules = pairing.rules_for(search, copy, stable, canary)
    owners.refuse_owned(copy.document)
    warnings = _pools(api, pools[canary.namespace], copy, stable, canary)
    ours = Ours(rules=frozenset(rule.index for rule in rules), canary=canary.name)
    word = gateway_word(copy.document, ANY_GENERATION, ours, gateways.parents(copy.document))
    return Survey(
        copy=copy,
        stable=stable,
        canary=canary,
        rules=rules,
        warnings=(*warnings, *_gateway(word), *owners.warnings(copy.document)),
        known=tuple(sorted({each.key for each in word.objections})),
    )


def _namespaces(search: Search) -> Sequence[str]:
    wanted = search.words.namespace
    if wanted and wanted not in search.namespaces:
        raise NotHereError(
            f"The bot does not work in namespace `{wanted}`.",
            hint=one_of(search.offer(namespace=name) for name in search.namespaces),
        )
    return (wanted,) if wanted else search.namespaces


def _canary(search: Search, pools: Mapping[str, Sequence[Document]]) -> Pool:
    """Find the new pool by its exact name."""
    found = [namespace for namespace, each in pools.items() if search.canary in _names(each)]
    if not found:
        raise _no_pool(search, pools)
    if len(found) > 1:
        raise RouteError(
            f"InferencePool `{search.canary}` is in more than one namespace.",
            hint=one_of(search.offer(namespace=name) for name in found),
        )
    return Pool(found[0], search.canary, inferencepool.GROUP)


def _no_pool(search: Search, pools: Mapping[str, Sequence[Document]]) -> RouteError:
    names = {name for each in pools.values() for name in _names(each)}
    likely = likely_meant(search.canary, names)
    if likely:
        hint = one_of((search.offer(canary=name) for name in likely), lead="Did you mean:")
    elif names:
        hint = f"Deploy it first. There are {listed(sorted(names)[:10])}."
    else:
        hint = "Deploy it first; there is no InferencePool at all."
    return NotHereError(f"There is no InferencePool `{search.canary}` in {listed(pools)}.", hint=hint)


def _names(pools: Sequence[Document]) -> set[str]:
    return {str(pool["metadata"]["name"]) for pool in pools}


def _pools(api: ApiClient, pools: Sequence[Document], copy: RouteCopy, stable: Pool, canary: Pool) -> Sequence[str]:
    """Look at the pods of both pools. Raises RouteError if the canary cannot serve, or the stable pool is gone."""
    by_name = {pool["metadata"]["name"]: pool for pool in pools}
    if stable.name not in by_name:
        raise RouteError(
            f"HTTPRoute `{full_name(copy.document)}` sends to InferencePool `{stable.name}`, which does not exist.",
            hint="Mend the route first: there is nothing to roll back to.",
        )
    new, old = by_name[canary.name], by_name[stable.name]
    new_pods, old_pods = inferencepool.pods_of(api, new), inferencepool.pods_of(api, old)
    if lack := inferencepool.lack(api, new, new_pods):
        raise RouteError(lack, hint="Start it again when it is ready.")
    return [*_overlap(new, old, new_pods, old_pods), *_stable_lack(api, old, old_pods)]


def _overlap(new: Document, old: Document, new_pods: Sequence[Document], old_pods: Sequence[Document]) -> Iterator[str]:
    both = sorted(_names(new_pods) & _names(old_pods))
    if both:
        more = f" and {len(both) - MOST_NAMES} more" if len(both) > MOST_NAMES else ""
        yield (
            f"Both pools select the pods {listed(both[:MOST_NAMES])}{more}: the split is not what the weights say "
            f"(selectors `{inferencepool.selector_of(new)}` and `{inferencepool.selector_of(old)}`)."
        )


def _stable_lack(api: ApiClient, old: Document, pods: Sequence[Document]) -> Iterator[str]:
    if lack := inferencepool.lack(api, old, pods):
        yield f"A roll back would not help now: {lack}"


def _gateway(word: GatewayWord) -> Iterator[str]:
    """Say what speaks against the route before anybody writes to it."""
    for said in dict.fromkeys(each.said for each in word.objections):
        yield f"{said}{'' if said.endswith('.') else '.'} It was so before this rollout."
    yield from word.notes
