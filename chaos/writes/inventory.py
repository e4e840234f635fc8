"""What is there in a namespace, so that one can say what an operation made, changed and deleted."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from sandbox.kube import Kube, Object, path_of
from sandbox.objects import GATEWAY_API, POOL_API

KINDS: Final = {
    "Deployment": "apps/v1",
    "Service": "v1",
    "ConfigMap": "v1",
    "Secret": "v1",
    "ServiceAccount": "v1",
    "Pod": "v1",
    "Role": "rbac.authorization.k8s.io/v1",
    "RoleBinding": "rbac.authorization.k8s.io/v1",
    "InferencePool": POOL_API,
    "HTTPRoute": GATEWAY_API,
}
OF_OWNERS: Final = ("uid", "labels", "ownerReferences", "finalizers")
HISTORY: Final = "Secret sh.helm.release."
Inventory = Mapping[str, str]
"""By kind and name: the object's uid, and what its owners wrote, but for annotations: our note is one."""


def take(kube: Kube, namespace: str) -> Inventory:
    """List what is there."""
    return {
        f"{kind} {one['metadata']['name']}": _written(one)
        for kind, version in KINDS.items()
        for one in kube.get(path_of(version, kind, namespace))["items"]
    }


def without_history(names: Iterable[str]) -> Iterator[str]:
    """Leave Helm's own records out."""
    return (name for name in names if not name.startswith(HISTORY))


def _written(one: Object) -> str:
    meta = {name: one["metadata"].get(name) for name in OF_OWNERS}
    rest = {name: value for name, value in one.items() if name not in ("metadata", "status")}
    return json.dumps([meta, rest], sort_keys=True)
