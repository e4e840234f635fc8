"""The start of a rollout: find the route, the two pools and the rules, and say what prevents it.

It only reads: the pools and the routes of each namespace, the Gateways, and what shows whether the pools can serve.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Final

from kubernetes.client import ApiClient

from bot.domain.check import Line, Report
from bot.domain.errors import NotHereError, RefusedError, RouteError
from bot.domain.rollout import Pool
from bot.domain.slips import likely_meant
from bot.engine.notes import Notes
from bot.engine.route_port import RouteCopy, Survey
from k8s import companions, httproute, inferencepool, owners, pairing
from k8s.checks import gateway, mirroring, route
from k8s.checks import pools as pools_topic
from k8s.checks.scene import Scene
from k8s.document import Document, full_name
from k8s.gateways import Gateways
from k8s.old_group import of_old_group
from k8s.pool_reader import PoolReader
from k8s.reference_grants import list_grants
from k8s.route_status import ANY_GENERATION, Ours, gateway_word
from k8s.search import Search, listed, one_of
from k8s.served_models import ask_pool
from k8s.watches import Watches


def survey(api: ApiClient, search: Search, notes: Notes, gateways: Gateways, now: datetime) -> Survey:
    """Find everything that a start needs, and what speaks against one.

    Raises RouteError with one sentence and the next action if the route, a pool or the rules cannot be chosen.
    """
    pools = {name: inferencepool.list_pools(api, name) for name in _namespaces(search)}
    canary = _canary(api, search, pools)
    copies, unread = _routes(api, search, canary, notes)
    copy, stable = pairing.choose(search, copies, canary)
    rules = pairing.rules_for(search, copy, stable, canary)
    new, old = _pair(pools[canary.namespace], copy, stable, canary)
    reader = PoolReader(api, Watches(), lambda: now)  # fresh lists: no copy decides a start
    parts = reader.parts(old), reader.parts(new)
    models = [_beside.submit(ask_pool, api, each.pool, each.pods) for each in parts]
    parents = gateways.parents(copy.document)
    ours = Ours(rules=frozenset(rule.index for rule in rules), canary=canary.name)
    scene = Scene(
        copy=copy,
        stable=stable,
        canary=canary,
        rules=rules,
        old=parts[0],
        new=parts[1],
        old_models=models[0].result(),
        new_models=models[1].result(),
        word=gateway_word(copy.document, ANY_GENERATION, ours, parents),
        says=gateway_word(copy.document, copy.generation, ours, parents).says(()),
        parents=parents,
        routes=[each.document for each in copies],
        companions=companions.list_companions(api, canary.namespace),
        grants=list_grants(api, canary.namespace) if copy.namespace != canary.namespace else (),
        unread=unread,
        mirror=search.words.wishes.mirror or 0,
        is_new=now - datetime.fromisoformat(copy.document["metadata"]["creationTimestamp"]) < NEW,
    )
    return Survey(
        copy=copy,
        stable=stable,
        canary=canary,
        rules=rules,
        report=Report(tuple(line for topic in _TOPICS for line in topic(scene))),
        known=tuple(sorted({each.key for each in scene.word.objections})),
    )


_beside: Final = ThreadPoolExecutor(8, "models")
NEW: Final = timedelta(minutes=1)


_TOPICS: Final[Sequence[Callable[[Scene], Iterator[Line]]]] = (
    pools_topic.lines,
    gateway.lines,
    lambda scene: owners.lines(scene.copy.document),
    mirroring.lines,
    route.lines,  # last: a start tells the first warnings, and a route can have many
)


def _namespaces(search: Search) -> Sequence[str]:
    wanted = search.words.namespace
    if wanted and wanted not in search.namespaces:
        raise NotHereError(
            f"The bot does not work in namespace `{wanted}`.",
            hint=one_of(search.offer(namespace=name) for name in search.namespaces),
        )
    return (wanted,) if wanted else search.namespaces


def _routes(api: ApiClient, search: Search, canary: Pool, notes: Notes) -> tuple[Sequence[RouteCopy], Sequence[str]]:
    """Return the routes of our namespaces, the pools' first, and the other namespaces whose routes we may not read."""
    copies = [*httproute.list_routes(api, canary.namespace, notes)]
    unread: list[str] = []
    for namespace in search.namespaces:
        if namespace == canary.namespace:
            continue
        try:
            copies += httproute.list_routes(api, namespace, notes)
        except RefusedError:
            unread.append(namespace)
    return copies, unread


def _canary(api: ApiClient, search: Search, pools: Mapping[str, Sequence[Document]]) -> Pool:
    """Find the new pool by its exact name."""
    found = [namespace for namespace, each in pools.items() if search.canary in _names(each)]
    if not found:
        if any(inferencepool.is_of_old_group(api, namespace, search.canary) for namespace in pools):
            raise of_old_group(search.canary)
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


def _pair(pools: Sequence[Document], copy: RouteCopy, stable: Pool, canary: Pool) -> tuple[Document, Document]:
    """Return the documents of the new and the old pool. Raises RouteError if the old one is gone."""
    by_name = {pool["metadata"]["name"]: pool for pool in pools}
    if stable.name not in by_name:
        raise RouteError(
            f"HTTPRoute `{full_name(copy.document)}` sends to InferencePool `{stable.name}`, which does not exist.",
            hint="Mend the route first: there is nothing to roll back to.",
        )
    return by_name[canary.name], by_name[stable.name]
