"""What a pool that no release of Helm made is made of: itself, and its picker's Service and Deployments."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from kubernetes.client import ApiClient

from bot.domain.errors import GoneError
from k8s import client
from k8s.document import Document, namespace_of
from k8s.inferencepool import POOLS, SERVICES, is_service, picker_of
from k8s.removal_check import Found

DEPLOYMENTS: Final = client.Resource("/apis/apps/v1", "deployments", "Deployment")


def by_hand(api: ApiClient, pool: Document) -> Iterator[Found]:
    """Yield the pool, the Service that its endpointPickerRef names, and the Deployments behind that."""
    namespace, picker = namespace_of(pool), picker_of(pool)
    yield Found.of(POOLS, namespace, pool)
    if picker is None or not is_service(picker):
        return
    with suppress(GoneError):
        service = client.get(api, SERVICES, namespace, str(picker["name"]))
        selector = (service["spec"].get("selector") or {}).items()
        yield Found.of(SERVICES, namespace, service)
        for deployment in client.list_all(api, DEPLOYMENTS, namespace):
            labels = (deployment["spec"]["template"].get("metadata") or {}).get("labels") or {}
            if selector and selector <= labels.items():
                yield Found.of(DEPLOYMENTS, namespace, {"kind": "Deployment", "apiVersion": "apps/v1", **deployment})
