"""Statuses of routes as controllers write them, for the robot to write."""

from collections.abc import Callable
from typing import Any

from sandbox.gateway import CONTROLLER

Json = dict[str, Any]
NOW = "2026-11-23T12:00:00Z"
OTHER = "other.example.com/controller"


def a_condition(kind: str, status: str, reason: str = "Why", message: str = "") -> Json:
    return {"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": NOW}


GOOD = (a_condition("Accepted", "True"), a_condition("ResolvedRefs", "True"))
NO_BACKEND = (GOOD[0], a_condition("ResolvedRefs", "False", "BackendNotFound", "endpoint picker: no service"))


def an_entry(*conditions: Json, controller: str = CONTROLLER, **ref: Any) -> Json:
    parent = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "inference-gateway", **ref}
    return {"parentRef": parent, "controllerName": controller, "conditions": list(conditions)}


def writes(*entries: Json) -> Callable[[Json], list[Json]]:
    """Return what a robot writes: these entries, at every generation."""

    def parents(route: Json) -> list[Json]:
        seen = {"observedGeneration": route["metadata"]["generation"]}
        return [{**each, "conditions": [{**seen, **one} for one in each["conditions"]]} for each in entries]

    return parents
