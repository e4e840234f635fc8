"""How few model servers an autoscaler may leave a pool. KEDA and others make a HorizontalPodAutoscaler too."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from kubernetes.client import ApiClient

from bot.domain.errors import ClusterError
from k8s import client
from k8s.document import Document

AUTOSCALERS: Final = client.Resource("/apis/autoscaling/v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler")
FRESH: Final = timedelta(minutes=1)
"""So long a list is kept: many rollouts ask."""
_HASH: Final = "pod-template-hash"
_GROUP: Final = "leaderworkerset.sigs.k8s.io/name"


@dataclass(frozen=True, slots=True)
class _Listed:
    at: datetime
    found: Sequence[Document]


class Autoscalers:
    """Lists of autoscalers by namespace, each a minute old at most."""

    def __init__(self, api: ApiClient, now: Callable[[], datetime]) -> None:
        self._api, self._now = api, now
        self._lists: dict[str, _Listed] = {}

    def least(self, namespace: str, pods: Sequence[Document]) -> int | None:
        """Return how many of these pods are surely kept; None if no autoscaler scales them, or nobody may know."""
        listed = self._lists.get(namespace)
        if listed is None or self._now() - listed.at >= FRESH:
            listed = self._lists[namespace] = _Listed(self._now(), self._list(namespace))
        return least_of(listed.found, pods)

    def _list(self, namespace: str) -> Sequence[Document]:
        try:
            return client.list_all(self._api, AUTOSCALERS, namespace)
        except ClusterError:
            return ()


def least_of(autoscalers: Sequence[Document], pods: Sequence[Document]) -> int | None:
    """Return how many of some pods are surely kept: the minimum of each autoscaler, and what none of them scales."""
    least = {
        str(each["spec"]["scaleTargetRef"]["name"]): int(each["spec"].get("minReplicas", 1)) for each in autoscalers
    }
    scaled = [next((name for name in _owners(pod) if name in least), None) for pod in pods]
    targets = {name for name in scaled if name is not None}
    if not targets:
        return None
    return sum(least[name] for name in targets) + scaled.count(None)


def _owners(pod: Document) -> Sequence[str]:
    """Return the names of what may be scaled to scale a pod: its owner, a ReplicaSet's Deployment, its group."""
    meta = pod["metadata"]
    labels = meta.get("labels") or {}
    owners = [str(owner["name"]) for owner in meta.get("ownerReferences") or ()]
    deployments = [owner.removesuffix(f"-{labels[_HASH]}") for owner in owners if _HASH in labels]
    return [*deployments, *owners, *([labels[_GROUP]] if _GROUP in labels else [])]
