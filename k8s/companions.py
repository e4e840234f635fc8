"""InferenceObjectives and InferenceModelRewrites: each counts for one pool, and a new pool has none of them."""

from collections.abc import Sequence
from typing import Final

from kubernetes.client import ApiClient

from bot.domain.errors import RefusedError
from k8s import client
from k8s.document import Document
from k8s.old_group import OLD_GROUP

_GROUPS: Final = (OLD_GROUP, "llm-d.ai")
_KINDS: Final = (("inferenceobjectives", "InferenceObjective"), ("inferencemodelrewrites", "InferenceModelRewrite"))
COMPANIONS: Final = tuple(
    client.Resource(f"/apis/{group}/v1alpha2", plural, kind) for group in _GROUPS for plural, kind in _KINDS
)


def list_companions(api: ApiClient, namespace: str) -> Sequence[Document]:
    """List them in a namespace; a kind that is not installed, or that we may not list, has none."""
    found: list[Document] = []
    for resource in COMPANIONS:
        try:
            listed = client.list_all(api, resource, namespace)
        except RefusedError:
            continue
        found += [{"kind": resource.kind, **each} for each in listed]
    return found
