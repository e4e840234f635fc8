"""What the controllers of a cluster do for Deployments: which pods to make and to delete, and the status to write."""

import hashlib
import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sandbox.kube import Object
from sandbox.pods import NODE, is_ready

HASH = "pod-template-hash"
_LETTERS = "bcdfghjklmnpqrstvwxz2456789"


@dataclass(frozen=True)
class Plan:
    """Pods to create and to delete, so that a Deployment has what it wants."""

    create: Sequence[Object] = field(default_factory=list)
    delete: Sequence[Object] = field(default_factory=list)


def plan(deployment: Object, pods: Iterable[Object]) -> Plan:
    """Return what a Deployment lacks and what it has too much of; ``pods`` may hold those of others.

    A pod of an older template goes as soon as the new ones are ready, so that there is always somebody to answer.
    """
    mine = [pod for pod in pods if is_owned(pod, deployment) and not is_going(pod)]
    wanted = _hash(deployment)
    new = [pod for pod in mine if pod["metadata"]["labels"].get(HASH) == wanted]
    old = [pod for pod in mine if pod["metadata"]["labels"].get(HASH) != wanted]
    count = deployment["spec"].get("replicas", 1)
    missing = [_pod(deployment, wanted) for _ in range(count - len(new))]
    surplus = sorted(new, key=is_ready)[: max(0, len(new) - count)]
    is_replaced = sum(map(is_ready, new)) >= count
    return Plan(create=missing, delete=[*surplus, *(old if is_replaced else ())])


def status(deployment: Object, pods: Iterable[Object]) -> Object:
    """Return the status of a Deployment."""
    mine = [pod for pod in pods if is_owned(pod, deployment) and not is_going(pod)]
    count, ready = deployment["spec"].get("replicas", 1), sum(map(is_ready, mine))
    updated = sum(pod["metadata"]["labels"].get(HASH) == _hash(deployment) for pod in mine)
    enough = {"type": "Available", "status": "True" if ready >= count else "False", "reason": "MinimumReplicas"}
    return {
        "observedGeneration": deployment["metadata"]["generation"],
        "replicas": len(mine),
        "updatedReplicas": updated,
        "readyReplicas": ready,
        "availableReplicas": ready,
        "unavailableReplicas": max(0, count - ready),
        "conditions": [enough],
    }


def orphans(pods: Iterable[Object], deployments: Iterable[Object]) -> list[Object]:
    """Return the pods whose Deployment is gone."""
    there = {one["metadata"]["uid"] for one in deployments}
    return [pod for pod in pods if _owner(pod) and _owner(pod) not in there and not is_going(pod)]


def is_owned(pod: Object, deployment: Object) -> bool:
    """Return whether a pod is of a Deployment."""
    return _owner(pod) == str(deployment["metadata"]["uid"])


def deployment_of(pod: str) -> str:
    """Return the name of the Deployment whose pod has this name; the sandbox's pools have the same names."""
    return pod.rsplit("-", 2)[0]


def is_going(obj: Object) -> bool:
    """Return whether an object is being deleted."""
    return "deletionTimestamp" in obj["metadata"]


def _owner(pod: Object) -> str:
    owners = pod["metadata"].get("ownerReferences", [])
    return next((str(owner["uid"]) for owner in owners if owner["kind"] == "Deployment"), "")


def _hash(deployment: Object) -> str:
    return hashlib.sha256(json.dumps(deployment["spec"]["template"], sort_keys=True).encode()).hexdigest()[:9]


def _pod(deployment: Object, template_hash: str) -> Object:
    meta, template = deployment["metadata"], deployment["spec"]["template"]
    suffix = "".join(random.choices(_LETTERS, k=5))
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": meta["name"], "uid": meta["uid"]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{meta['name']}-{template_hash}-{suffix}"[-63:].lstrip("-"),
            "namespace": meta["namespace"],
            "labels": {**template["metadata"].get("labels", {}), HASH: template_hash},
            "annotations": template["metadata"].get("annotations", {}),
            "ownerReferences": [{**owner, "controller": True, "blockOwnerDeletion": True}],
        },
        "spec": {**template["spec"], "nodeName": NODE},
    }
