"""What a trial asks of the cluster: where its requests go, whose pods may answer, and a route of its own."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

from kubernetes.client import ApiClient

from bot.domain.errors import GoneError, RaceError, RefusedError, RouteError
from bot.domain.rollout import Pool
from bot.engine.gateway_word import Bars, GatewaySays
from bot.engine.trial_port import Aim, Pair
from k8s import client, gateway_address, request_match
from k8s.document import Document, places, refs_of, rule_label, rules_of, weight_of
from k8s.gateways import GATEWAYS, Gateways, gateway_key
from k8s.httproute import HTTPROUTES
from k8s.inferencepool import POOLS
from k8s.pool_reader import PoolReader
from k8s.request_match import Asked
from k8s.route_status import Ours, gateway_word, parent_refs
from k8s.served_models import ask_pool
from k8s.trial_route import OF_TRIAL, is_stray, is_trial, name_of, trial_route
from k8s.watches import Watches

METHOD: Final = "POST"
_GRANT: Final = "It needs a right of its own: apply `manifests/kustomize/try`."


class ClusterTrials:
    """See ``bot.engine.trial_port.Trials``. Everything is read from the API server: a trial is rare."""

    def __init__(self, api: ApiClient, namespaces: Sequence[str], now: Callable[[], datetime]) -> None:
        self._api, self._namespaces, self._now = api, namespaces, now
        self._pools = PoolReader(api, Watches(), now)

    def aim(self, pair: Pair, path: str, headers: Mapping[str, str]) -> Aim:
        """Find out where a POST of ``path`` with these headers goes. Raises RouteError if to neither of the pools."""
        route = self._route(pair)
        asked = Asked(method=METHOD, path=path, headers={name.lower(): value for name, value in headers.items()})
        taker = request_match.taker(route, asked)
        if taker is None:
            raise _misses(pair, path, "no rule takes it")
        weights = [_weight(rules_of(route)[taker.rule], pool, pair.namespace) for pool in (pair.stable, pair.canary)]
        if not sum(weights):
            label = rule_label(rules_of(route)[taker.rule], taker.rule)
            raise _misses(pair, path, f"{label} takes it, which sends to neither pool")
        where = self._address(route, pair)
        return Aim(
            address=where.address,
            port=where.port,
            host=where.host,
            is_tls=where.is_tls,
            rule=taker.rule,
            weight=_percent(*weights),
        )

    def models(self, pair: Pair) -> tuple[frozenset[str], str]:
        """Return the names of models that both pools serve, and why nobody knows if none is known.

        If the old pool is gone, the new one's count alone. LoRA adapters are among them only if nothing else is.
        """
        documents = [self._pools.document(pair.canary)]
        with suppress(GoneError):
            documents.insert(0, self._pools.document(pair.stable))
        served = [ask_pool(self._api, each, self._pools.listed_pods(each)) for each in documents]
        known = [each.names for each in served if each.names is not None]
        if not known:
            return frozenset(), served[-1].why_not or "no model server of either pool is ready"
        common = frozenset.intersection(*known)
        common = common.difference(*(each.adapters for each in served)) or common
        return common, "" if common else "the pools serve no model of the same name"

    def pools_of_pods(self, pair: Pair) -> Mapping[str, str]:
        """Return the name of the pool of each pod of the two."""
        found: dict[str, str] = {}
        for pool in (pair.stable, pair.canary):
            with suppress(GoneError):
                document = client.get(self._api, POOLS, pool.namespace, pool.name)
                pods = self._pools.listed_pods(document)
                found |= {str(pod["metadata"]["name"]): pool.name for pod in pods}
        return found

    def make_route(self, pair: Pair, rule: int, trial: str, header: str, alone: Mapping[str, Pool]) -> None:
        """Make a route like the pair's for requests with ``header: key``, all to the pool of that key."""
        made = trial_route(self._route(pair), rule, trial, header, alone)
        try:
            with suppress(RaceError):
                client.create(self._api, HTTPROUTES, pair.namespace, made)
        except RefusedError as error:
            hint = _GRANT if "may not `create`" in error.message else error.hint
            raise RouteError(error.message, hint=hint) from error

    def is_taken(self, pair: Pair, trial: str) -> bool:
        """Say whether the gateway has accepted the route of a trial. Raises RouteError if it has refused it."""
        route = client.get(self._api, HTTPROUTES, pair.namespace, name_of(trial))
        parents = Gateways(self._api, Watches(), self._now).parents(route)
        ours = Ours(rules=frozenset(range(len(rules_of(route)))), canary=pair.canary.name)
        word = gateway_word(route, int(route["metadata"]["generation"]), ours, parents)
        says = word.says(())
        if says in (GatewaySays.REJECTED, GatewaySays.PARTLY):
            raise RouteError(f"The gateway did not take the trial's route. {word.why((), *Bars)}")
        return says is GatewaySays.ACCEPTED

    def remove_route(self, namespace: str, trial: str) -> None:
        """Remove the route of a trial; it may be gone."""
        with suppress(GoneError):
            self._remove(client.get(self._api, HTTPROUTES, namespace, name_of(trial)))

    def remove_strays(self, older_than: timedelta) -> None:
        """Remove the routes of all trials that were made so long ago that no trial can still need them."""
        refusals: list[RefusedError] = []
        for namespace in self._namespaces:
            try:
                for route in client.list_all(self._api, HTTPROUTES, namespace, labels=OF_TRIAL):
                    if is_stray(route, self._now(), older_than):
                        self._remove(route)
            except RefusedError as error:
                refusals.append(error)  # another namespace may let us
        if refusals:
            raise refusals[0]

    def _remove(self, route: Document) -> None:
        meta = route["metadata"]
        if not is_trial(route):
            return  # somebody has made it his own
        with suppress(GoneError, RaceError):
            client.delete(self._api, HTTPROUTES, meta["namespace"], meta["name"], meta["uid"])

    def _route(self, pair: Pair) -> Document:
        return self._get(HTTPROUTES, pair.namespace, pair.route)

    def _get(self, resource: client.Resource, namespace: str, name: str) -> Document:
        """Read one object. Raises RouteError if it is not there, or not for us."""
        try:
            return client.get(self._api, resource, namespace, name)
        except RefusedError as error:
            raise RouteError(error.message, hint=error.hint) from error

    def _address(self, route: Document, pair: Pair) -> gateway_address.Address:
        """Return where the first of the route's Gateways listens that says where. Raises RouteError."""
        names: list[str] = []
        for ref in parent_refs(route):
            if (ref.get("kind") or "Gateway") != "Gateway":
                continue
            namespace, name = gateway_key(ref, pair.namespace)
            names.append(f"{namespace}/{name}")
            gateway = self._get(GATEWAYS, namespace, name)
            if found := gateway_address.address_of(gateway, ref, route):
                return found
        listed = " and ".join(f"`{name}`" for name in names) or "no Gateway"
        raise RouteError(
            f"HTTPRoute `{pair.namespace}/{pair.route}` hangs on {listed}, whose status has no address for it.",
            hint="See `kubectl get gateway`: ADDRESS must not be empty.",
        )


def _weight(rule: Document, pool: Pool, namespace: str) -> int:
    return sum(weight_of(refs_of(rule)[place]) for place in places(rule, pool, namespace))


def _percent(stable: int, canary: int) -> int:
    """Return the canary's share; a pool that has any traffic has at least one percent."""
    share = round(100 * canary / (stable + canary))
    return min(max(share, 1), 99) if stable and canary else share


def _misses(pair: Pair, path: str, why: str) -> RouteError:
    return RouteError(
        f"{METHOD} `{path}` reaches neither pool through HTTPRoute `{pair.namespace}/{pair.route}`: {why}.",
        hint="Set `try.path` and `try.headers` in the policy to what your users send.",
    )
