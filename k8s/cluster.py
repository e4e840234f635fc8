"""The cluster for the engine: the ``Routes`` port over one connection."""

from collections.abc import Callable, Sequence, Set
from datetime import UTC, datetime
from functools import partial

from kubernetes.client import ApiClient

from bot.domain.check import Line, warn
from bot.domain.commands.request import START, StartWords
from bot.domain.decisions.by_route import is_as_wanted
from bot.domain.errors import GoneError, NoRoomError
from bot.domain.gate import Readiness
from bot.domain.rollout import TAKEN_BACK, Hand, Pair, Pool, Rollout, Rule
from bot.engine.gateway_word import GatewayWord
from bot.engine.notes import NO_KEYS, Notes
from bot.engine.route_port import Guard, PoolHealth, PoolMembers, RouteCopy, Survey, Written
from k8s import client, field_managers, httproute, inferencepool, installed, lost_rules, owners, split, survey
from k8s.document import Document, annotation_of, has_rules_beside, locate
from k8s.gateways import CLASSES, GATEWAYS, Gateways, gateways_of, has_parent
from k8s.httproute import HTTPROUTES
from k8s.inferencepool import PODS, POOLS, SERVICES, SLICES
from k8s.pool_reader import PoolReader
from k8s.rights import Rights, rights_of
from k8s.route_status import Ours, gateway_word
from k8s.search import Search
from k8s.watch import Seen
from k8s.watches import Told, Watches


def _now() -> datetime:
    return datetime.now(UTC)


class Cluster:
    """HTTPRoutes and InferencePools of some namespaces; may be used by many threads.

    It keeps nothing until ``watch`` is called; from then on routes and pools come from memory where that is enough.
    """

    def __init__(
        self,
        api: ApiClient,
        namespaces: Sequence[str],
        *,
        notes: Notes = NO_KEYS,
        command: str = "/rollout",
        now: Callable[[], datetime] = _now,
    ) -> None:
        self._api = api
        self._namespaces = tuple(namespaces)
        self._notes = notes
        self._command = command
        self._now = now
        self._watches = Watches()
        self._gateways = Gateways(api, self._watches, now)
        self._reader = PoolReader(api, self._watches, now)

    def watch(
        self,
        *,
        route_changed: Callable[[RouteCopy], None],
        route_gone: Callable[[RouteCopy], None],
        pool_gone: Callable[[Pool], None],
        route_status: Callable[[str], None] = lambda uid: None,
        pool_ending: Callable[[Pool], None] = lambda pool: None,
        health_changed: Callable[[Pool], None] = lambda pool: None,
    ) -> None:
        """Watch the routes and pools of every namespace; changes are reported in the watches' own threads.

        ``route_status`` gets the uid of a route with our annotation whose status alone has changed; ``pool_ending`` a
        pool that is being deleted and still there; ``health_changed`` a pool which, or whose parts, have changed.
        """

        def of_route(seen: Seen, document: Document) -> None:
            if seen is not Seen.STATUS:
                (route_gone if seen is Seen.GONE else route_changed)(httproute.copy_of(document, self._notes))
            elif annotation_of(document) is not None:
                route_status(str(document["metadata"]["uid"]))

        def of_pool(seen: Seen, document: Document) -> None:
            if seen is Seen.GONE:
                pool_gone(inferencepool.pool_of(document))
            elif inferencepool.is_ending(document):
                pool_ending(inferencepool.pool_of(document))
            of_part(POOLS, seen, document)

        def of_part(resource: client.Resource, seen: Seen, document: Document) -> None:
            for pool in self._reader.pools_with(resource, document):
                health_changed(pool)

        def of_gateway(seen: Seen, document: Document) -> None:
            for route in self._watches.everywhere(HTTPROUTES):
                if annotation_of(route) is not None and has_parent(route, document):
                    route_status(str(route["metadata"]["uid"]))

        def of_gateway_class(seen: Seen, document: Document) -> None:
            """Only the copy is of use."""

        parts: dict[client.Resource, Told] = {each: partial(of_part, each) for each in (PODS, SERVICES, SLICES)}
        told = {HTTPROUTES: of_route, POOLS: of_pool, **parts}
        everywhere = {GATEWAYS: of_gateway, CLASSES: of_gateway_class}
        self._watches.start(self._api, self._namespaces, told, everywhere, whole=[HTTPROUTES])

    def rights(self, *, makes_routes: bool) -> Rights:
        """Ask the API server for our rights in our namespaces, and whether it serves what we need."""
        return rights_of(self._api, self._namespaces, makes_routes=makes_routes)

    def refusals(self) -> Sequence[str]:
        """Say why watches do not work, and what to do; nothing if all of them work."""
        return self._watches.refusals()

    def close(self) -> None:
        """Stop the watches; one that hangs in the network ends with the process."""
        self._watches.close()

    def access(self, namespaces: Sequence[str]) -> Sequence[Line]:
        """Say which rights the bot lacks in these namespaces, what is not served there, and what is installed."""
        rights = [warn(installed.TOPIC, sentence) for sentence in rights_of(self._api, namespaces).missing]
        return [*rights, *installed.lines(installed.list_definitions(self._api))]

    def survey(self, canary: str, words: StartWords, verb: str = START) -> Survey:
        """Find the route, the stable pool and the rules for a start, and what speaks against it."""
        search = Search(self._command, self._namespaces, canary, words, verb)
        return survey.survey(self._api, search, self._notes, self._gateways, self._now())

    def read(self, namespace: str, route: str) -> RouteCopy:
        """Read one route from the API server."""
        return httproute.read(self._api, namespace, route, self._notes)

    def kept(self, namespace: str, route: str) -> RouteCopy | None:
        """Return the copy that a watch keeps; None if it keeps none. It may be a moment old."""
        document = self._watches.object(HTTPROUTES, namespace, route)
        return httproute.copy_of(document, self._notes) if document else None

    def hand(self, copy: RouteCopy) -> Hand:
        """Say who edited the route last, other than us."""
        return field_managers.last_editor(copy.document)

    def note_hand(self, copy: RouteCopy) -> Hand | None:
        """Say who put our annotation there, if it was somebody else."""
        return field_managers.annotation_editor(copy.document)

    def owner(self, copy: RouteCopy) -> str:
        """Say which other controller moves the weights of a route; empty if none does."""
        return owners.owner_of(copy.document)

    def is_gone(self, pool: Pool) -> bool:
        """Ask whether an InferencePool is missing."""
        return self._pool(pool) is None

    def is_ending(self, pool: Pool) -> bool:
        """Ask whether an InferencePool is being deleted, and still there."""
        found = self._pool(pool)
        return found is not None and inferencepool.is_ending(found)

    def _pool(self, pool: Pool) -> Document | None:
        try:
            return client.get(self._api, POOLS, pool.namespace, pool.name)
        except GoneError:
            return None

    def observe(self, copy: RouteCopy, rollout: Rollout) -> tuple[Pair | None, ...]:
        """Return the weights of each rule of the rollout as the copy has them; None: the rule is gone."""
        return lost_rules.observe(copy.document, rollout)

    def is_rewritten(self, copy: RouteCopy, rollout: Rollout) -> bool:
        """Say whether rules of a roll back are missing while others have exactly what was written there."""
        document = copy.document
        return bool(lost_rules.rewritten(document, rollout) or lost_rules.stray_mirrors(document, rollout))

    def shows(self, copy: RouteCopy, rollout: Rollout) -> bool:
        """Say whether a route still looks like the rollout's."""
        return lost_rules.shows(copy.document, rollout)

    def to_stable(self, copy: RouteCopy, rollout: Rollout) -> tuple[Rule, ...]:
        """Return the rollout's rules as if the old pool had had all the traffic that both pools have now."""
        return lost_rules.to_stable(copy.document, rollout)

    def write(
        self,
        copy: RouteCopy,
        rollout: Rollout,
        *,
        weights: bool,
        guard: Guard = Guard.GENERATION,
        rehearse: bool = False,
    ) -> Written:
        """Patch the annotation and, with ``weights``, our two backendRefs to what the rollout wants.

        Where others' annotations leave no room for ours, a roll back writes a shorter one, or the weights alone.
        """
        note = self._notes.write(rollout, copy.annotation)
        try:
            return self._patched(copy, rollout, note, weights=weights, guard=guard, rehearse=rehearse)
        except NoRoomError:
            if rehearse or not weights or rollout.phase not in TAKEN_BACK:
                raise
            return self._squeezed(copy, rollout, guard)

    def _squeezed(self, copy: RouteCopy, rollout: Rollout, guard: Guard) -> Written:
        """Write a roll back with a shorter note, or without one.

        Without one only if weights move: then the generation stops a first write that comes late.
        """
        short = self._notes.write_short(rollout, copy.annotation)
        try:
            return self._patched(copy, rollout, short, weights=True, guard=guard)
        except NoRoomError:
            if is_as_wanted(self.observe(copy, rollout), rollout) and not self.is_rewritten(copy, rollout):
                raise
            return self._patched(copy, rollout, None, weights=True, guard=guard)

    def _patched(
        self,
        copy: RouteCopy,
        rollout: Rollout,
        note: str | None,
        *,
        weights: bool,
        guard: Guard,
        rehearse: bool = False,
    ) -> Written:
        patch = split.patch(copy.document, rollout, note, weights=weights, guard=guard)
        written, document = httproute.write(self._api, copy, patch, rehearse=rehearse)
        if not rehearse:
            self._watches.keep(HTTPROUTES, document)
        return written

    def gateway_word(self, copy: RouteCopy, rollout: Rollout, generation: int) -> GatewayWord:
        """Read what every parent says about ``generation`` out of a copy, and what the Gateways say of themselves."""
        places = locate(copy.document, rollout)
        ours = Ours(rules=frozenset(place for place in places if place is not None), canary=rollout.canary.name)
        return gateway_word(copy.document, generation, ours, self._gateways.parents(copy.document))

    def gateways(self, copy: RouteCopy) -> Sequence[str]:
        """Name the Gateways that a route attaches to (namespace/name)."""
        return gateways_of(copy.document)

    def senders(self, pool: Pool) -> Sequence[str]:
        """Return the first watched HTTPRoutes that send to a pool (namespace/name)."""
        return self._reader.routes_to(pool)

    def has_rules_beside(self, copy: RouteCopy, rollout: Rollout) -> bool:
        """Say whether the route has rules with one of our pools that are not the rollout's."""
        return has_rules_beside(copy.document, rollout)

    def health(self, stable: Pool, canary: Pool) -> PoolHealth:
        """Say whether the canary can serve, and judge both pools. Raises ClusterError."""
        return self._reader.health(stable, canary)

    def readiness(self, stable: Pool, canary: Pool) -> Readiness:
        """Judge both pools, for display."""
        return self._reader.readiness(stable, canary)

    def members(self, pool: Pool) -> PoolMembers:
        """Name the pods and the picker's Service of a pool. Raises ClusterError."""
        return self._reader.members(pool)

    def least(self, pool: Pool) -> int | None:
        """Return how few model servers an autoscaler may leave a pool; None if none scales it, or nobody knows."""
        return self._reader.least(pool)

    @property
    def namespaces(self) -> tuple[str, ...]:
        """Return the namespaces we work in."""
        return self._namespaces

    def list(self, namespace: str) -> Sequence[RouteCopy]:
        """Read the routes of a namespace from the API server, in one call."""
        return httproute.list_routes(self._api, namespace, self._notes)

    def copies(self, namespace: str) -> Sequence[RouteCopy]:
        """Return what ``list`` does: from a watch's copies, which may be old, else from one call."""
        kept = self._watches.objects(HTTPROUTES, namespace)
        return self.list(namespace) if kept is None else httproute.copies_of(kept, self._notes)

    def pools(self, namespace: str) -> Set[str]:
        """Return the names of the pools of a namespace that are there to stay: from a watch, else from one call."""
        kept = self._watches.objects(POOLS, namespace)
        found = inferencepool.list_pools(self._api, namespace) if kept is None else kept
        return {str(pool["metadata"]["name"]) for pool in found if not inferencepool.is_ending(pool)}
