"""Pods, and what a kubelet and the endpoint slice controller say about them: pure functions."""

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime

from sandbox.kube import Object

NODE = "sandbox"


STARTED_BY_MAKER = "sandbox/started-by-maker"
"""The annotation of a pod whose maker writes its first status too, so that nobody else has to."""


def needs_start(pod: Object) -> bool:
    """Return whether a pod has no Ready condition yet, and nobody who gives it one."""
    if STARTED_BY_MAKER in (pod["metadata"].get("annotations") or {}):
        return False
    conditions = pod.get("status", {}).get("conditions", [])
    return not any(condition["type"] == "Ready" for condition in conditions)


def running_status(pod: Object, *, ready: bool, restarts: int = 0) -> Object:
    """Return the status of a running pod."""
    container = pod["spec"]["containers"][0]
    ip = pod_ip(pod)
    verdict = "True" if ready else "False"
    conditions = {"PodScheduled": "True", "Initialized": "True", "ContainersReady": verdict, "Ready": verdict}
    return {
        "phase": "Running",
        "podIP": ip,
        "podIPs": [{"ip": ip}],
        "startTime": _now(),
        "conditions": [
            {"type": kind, "status": value, "lastTransitionTime": _now()} for kind, value in conditions.items()
        ],
        "containerStatuses": [
            {
                "name": container["name"],
                "image": container["image"],
                "imageID": container["image"],
                "ready": ready,
                "started": True,
                "restartCount": restarts,
                "state": {"running": {"startedAt": _now()}},
            }
        ],
    }


def failed_status(pod: Object, reason: str) -> Object:
    """Return the status of a pod whose container cannot start for ``reason``, such as ErrImagePull."""
    container = pod["spec"]["containers"][0]
    image = container["image"]
    conditions = {"PodScheduled": "True", "Initialized": "True", "ContainersReady": "False", "Ready": "False"}
    return {
        "phase": "Pending",
        "conditions": [
            {"type": kind, "status": value, "lastTransitionTime": _now()} for kind, value in conditions.items()
        ],
        "containerStatuses": [
            {
                "name": container["name"],
                "image": image,
                "imageID": "",
                "ready": False,
                "restartCount": 0,
                "state": {"waiting": {"reason": reason, "message": f"{image} cannot be had here."}},
            }
        ],
    }


def is_ready(pod: Object) -> bool:
    """Return whether a pod is Ready."""
    conditions = pod.get("status", {}).get("conditions", [])
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def pod_ip(pod: Object) -> str:
    """Return an address on loopback, made from the pod's name, so that it is always the same."""
    digest = hashlib.sha256(f"{pod['metadata']['namespace']}/{pod['metadata']['name']}".encode()).digest()
    return f"127.{64 + digest[0] % 64}.{digest[1]}.{1 + digest[2] % 254}"


def _slice_ip(pod: Object) -> str:
    """Return the address of an EndpointSlice, in which the API server takes none of loopback."""
    return pod_ip(pod).replace("127.", "10.", 1)


def endpoint_slice(service: str, namespace: str, pods: Iterable[Object], ports: dict[str, int]) -> Object:
    """Return the EndpointSlice of a Service over ``pods``."""
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{service}-1",
            "namespace": namespace,
            "labels": {"kubernetes.io/service-name": service, "endpointslice.kubernetes.io/managed-by": "sandbox"},
        },
        "addressType": "IPv4",
        "ports": [{"name": name, "port": port, "protocol": "TCP"} for name, port in ports.items()],
        "endpoints": [_endpoint(pod) for pod in pods],
    }


def _endpoint(pod: Object) -> Object:
    ready = is_ready(pod)
    meta = pod["metadata"]
    return {
        "addresses": [_slice_ip(pod)],
        "conditions": {"ready": ready, "serving": ready, "terminating": False},
        "targetRef": {"kind": "Pod", "name": meta["name"], "namespace": meta["namespace"], "uid": meta.get("uid", "")},
    }


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
