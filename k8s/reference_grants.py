"""ReferenceGrants: whether a route of one namespace may send to a pool of another."""

from collections.abc import Sequence
from typing import Any, Final

from kubernetes.client import ApiClient

from bot.domain.errors import RefusedError
from bot.domain.rollout import Pool
from k8s import client
from k8s.document import POOL_KIND, Document
from k8s.route_status import GATEWAY_API

GRANTS: Final = client.Resource(f"/apis/{GATEWAY_API}/v1beta1", "referencegrants", "ReferenceGrant")


def list_grants(api: ApiClient, namespace: str) -> Sequence[Document] | None:
    """List the grants of the namespace that is sent to; None if we may not, or if the cluster has no such kind."""
    try:
        return client.list_all(api, GRANTS, namespace)
    except RefusedError:
        return None


def permits(grants: Sequence[Document], route_namespace: str, pool: Pool) -> bool:
    """Say whether one of the grants of the pool's namespace lets HTTPRoutes of another namespace send to it."""
    return any(_is_from(grant["spec"], route_namespace) and _is_to(grant["spec"], pool) for grant in grants)


def _is_from(spec: dict[str, Any], namespace: str) -> bool:
    wanted = {"group": GATEWAY_API, "kind": "HTTPRoute", "namespace": namespace}
    return any(wanted.items() <= each.items() for each in spec.get("from") or ())


def _is_to(spec: dict[str, Any], pool: Pool) -> bool:
    targets = [
        each for each in spec.get("to") or () if (each.get("group"), each.get("kind")) == (pool.group, POOL_KIND)
    ]
    return any(each.get("name") in (None, "", pool.name) for each in targets)
