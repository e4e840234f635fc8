"""The cluster as the engine sees it: the ``Routes`` port over one connection."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from kubernetes.client import ApiClient

from bot.domain.command import StartWords
from bot.domain.gate import Readiness, Verdict
from bot.domain.rollout import Pair, Pool, Rollout
from bot.ports import GatewayWord, RouteCopy, Scene, Written
from k8s import httproute, inferencepool, split, survey
from k8s.search import Search


def _now() -> datetime:
    return datetime.now(UTC)


class Cluster:
    """HTTPRoutes and InferencePools of some namespaces; may be used by many threads, and keeps nothing."""

    def __init__(
        self,
        api: ApiClient,
        namespaces: Sequence[str],
        *,
        command: str = "/rollout",
        now: Callable[[], datetime] = _now,
    ) -> None:
        self._api = api
        self._namespaces = tuple(namespaces)
        self._command = command
        self._now = now

    def survey(self, canary: str, words: StartWords) -> Scene:
        """Find the route, the stable pool and the rules for a start. Raises RouteError with ready-to-copy help."""
        return survey.survey(self._api, Search(self._command, self._namespaces, canary, words))

    def read(self, namespace: str, route: str) -> RouteCopy:
        """Read one route from the API server."""
        return httproute.read(self._api, namespace, route)

    def observe(self, copy: RouteCopy, rollout: Rollout) -> tuple[Pair | None, ...]:
        """Return the weights of each rule of the rollout as the copy has them; None: the rule is gone."""
        return split.observe(copy.document, rollout)

    def write(self, copy: RouteCopy, rollout: Rollout, *, weights: bool, rehearse: bool = False) -> Written:
        """Patch the annotation and, with ``weights``, our two backendRefs to what the rollout wants."""
        return httproute.write(self._api, copy, rollout, weights=weights, rehearse=rehearse)

    def gateway_says(self, copy: RouteCopy, generation: int) -> GatewayWord:
        """Read the acceptance of ``generation`` by every parent out of a copy."""
        return httproute.gateway_says(copy, generation)

    def check(self, rollout: Rollout) -> Verdict:
        """Ask the gates of the cluster whether the canary may get more."""
        return inferencepool.check(self._api, rollout.stable, rollout.canary, self._now())

    def readiness(self, stable: Pool, canary: Pool) -> Readiness:
        """Count the ready endpoints of both pools."""
        return inferencepool.readiness(self._api, stable, canary, self._now())

    @property
    def namespaces(self) -> tuple[str, ...]:
        """Return the namespaces we work in."""
        return self._namespaces

    def list(self, namespace: str) -> Sequence[RouteCopy]:
        """List the routes of a namespace, in one call."""
        return httproute.list_routes(self._api, namespace)
