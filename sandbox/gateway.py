"""What a gateway controller writes: pure functions from objects to their status."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sandbox.kube import Object

CONTROLLER = "agentgateway.dev/agentgateway"
"""The robot answers as this gateway does, which honours weights between pools."""
GATEWAY_GROUP = "gateway.networking.k8s.io"
POOL_GROUP = "inference.networking.k8s.io"
ADDRESS = "127.0.0.1"

Problem = tuple[str, str]
"""The reason and the message of a condition that is not met."""


FEATURES = frozenset({"HTTPRouteRequestMirror", "HTTPRouteRequestPercentageMirror"})
"""Of the features that Gateway API names, those that somebody asks for."""


@dataclass(frozen=True)
class Answer:
    """How the gateway answers a change of a route. Tests set this."""

    refuses: str = ""
    """The message of Accepted=False. If it is empty, routes are accepted."""
    reason: str = "UnsupportedValue"
    """The reason of Accepted=False."""
    silent: bool = False
    """Whether it writes no status at all, as some gateways do not."""
    delay_seconds: float = 0.0
    """How long it takes to notice a change."""
    parents: Callable[[Object], list[Object]] | None = None
    """What it writes for a route instead of all that, as ``status.parents``."""
    not_programmed: str = ""
    """The message of the Gateways' own Programmed=False. If it is empty, they are programmed."""


def class_status(gateway_class: Object) -> Object:
    """Return the status of an accepted GatewayClass."""
    features = [{"name": name} for name in sorted(FEATURES)]
    return {"conditions": [_condition(gateway_class, "Accepted", True, "Accepted")], "supportedFeatures": features}


def gateway_status(gateway: Object, routes: int, answer: Answer) -> Object:
    """Return the status of a Gateway that serves ``routes`` routes on each listener."""
    no = answer.not_programmed
    programmed = _condition(gateway, "Programmed", not no, "AddressNotAssigned" if no else "Programmed", no)
    conditions = [_condition(gateway, "Accepted", True, "Accepted"), programmed]
    return {
        "addresses": [{"type": "IPAddress", "value": ADDRESS}],
        "conditions": conditions,
        "listeners": [_listener(gateway, listener["name"], routes) for listener in gateway["spec"]["listeners"]],
    }


def route_status(route: Object, gateways: Collection[str], problem: Problem | None, answer: Answer) -> Object:
    """Return the status of an HTTPRoute: one parent for each of our gateways, and the parents of other controllers.

    ``problem`` says why a backendRef leads nowhere.
    """
    if answer.parents is not None:
        return {"parents": answer.parents(route)}
    ours = [_route_parent(route, ref, problem, answer) for ref in parents_among(route, gateways)]
    others = [one for one in _parents(route) if one.get("controllerName") != CONTROLLER]
    return {"parents": [*others, *ours]}


def pool_status(pool: Object, gateways: Iterable[str], problem: Problem | None = None) -> Object:
    """Return the status of an InferencePool: one parent for each gateway that reaches it through a route, or none.

    ``problem`` says why its picker cannot be found.
    """
    return {"parents": [_pool_parent(pool, gateway, problem) for gateway in sorted(gateways)]}


def missing_pool(route: Object, pools: Collection[str]) -> Problem | None:
    """Return what is wrong with a route that sends to a pool which is not among ``pools``."""
    missing = [name for name in pools_of(route) if name not in pools]
    return ("BackendNotFound", f"InferencePool {missing[0]} not found") if missing else None


def parents_among(route: Object, gateways: Collection[str]) -> list[Object]:
    """Return the parentRefs of a route that name one of ``gateways`` in its own namespace."""
    namespace = route["metadata"]["namespace"]
    refs = [ref for ref in route["spec"].get("parentRefs", []) if ref.get("kind", "Gateway") == "Gateway"]
    return [ref for ref in refs if ref["name"] in gateways and ref.get("namespace", namespace) == namespace]


def pools_of(route: Object) -> list[str]:
    """Return the names of the InferencePools of its own namespace that a route sends to, in order."""
    here = route["metadata"]["namespace"]
    refs = [ref for rule in route["spec"].get("rules", []) for ref in rule.get("backendRefs", [])]
    pools = [ref for ref in refs if ref.get("kind") == "InferencePool" and ref.get("group") == POOL_GROUP]
    return [ref["name"] for ref in pools if ref.get("namespace", here) == here]


def gateways_of(pool: Object, routes: Iterable[Object], gateways: Collection[str]) -> set[str]:
    """Return which of ``gateways`` reach a pool through a route."""
    meta = pool["metadata"]
    return {
        ref["name"]
        for route in routes
        if route["metadata"]["namespace"] == meta["namespace"] and meta["name"] in pools_of(route)
        for ref in parents_among(route, gateways)
    }


def same_status(now: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Compare statuses without their times. The robot writes only news, so that it does not react to its own writes."""
    return all(_timeless(now.get(key) or []) == _timeless(value) for key, value in wanted.items())


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _timeless(item) for key, item in value.items() if key != "lastTransitionTime"}
    return [_timeless(item) for item in value] if isinstance(value, list) else value


def _parents(route: Object) -> list[Object]:
    parents: list[Object] = route.get("status", {}).get("parents", [])
    return parents


def _listener(gateway: Object, name: str, routes: int) -> Object:
    kinds = ("Accepted", "Programmed", "ResolvedRefs")
    return {
        "name": name,
        "attachedRoutes": routes,
        "supportedKinds": [{"group": GATEWAY_GROUP, "kind": "HTTPRoute"}],
        "conditions": [_condition(gateway, kind, True, kind) for kind in kinds],
    }


def _route_parent(route: Object, ref: Object, problem: Problem | None, answer: Answer) -> Object:
    return {
        "parentRef": ref,
        "controllerName": CONTROLLER,
        "conditions": [_accepted(route, answer), _resolved(route, problem)],
    }


def _accepted(route: Object, answer: Answer) -> Object:
    if answer.refuses:
        return _condition(route, "Accepted", False, answer.reason, answer.refuses)
    return _condition(route, "Accepted", True, "Accepted")


def _resolved(obj: Object, problem: Problem | None) -> Object:
    if problem is not None:
        return _condition(obj, "ResolvedRefs", False, *problem)
    return _condition(obj, "ResolvedRefs", True, "ResolvedRefs")


def _pool_parent(pool: Object, gateway: str, problem: Problem | None) -> Object:
    return {
        "parentRef": {"group": GATEWAY_GROUP, "kind": "Gateway", "name": gateway},
        "conditions": [_condition(pool, "Accepted", True, "Accepted"), _resolved(pool, problem)],
    }


def _condition(obj: Object, kind: str, holds: bool, reason: str, message: str = "") -> Object:
    return {
        "type": kind,
        "status": "True" if holds else "False",
        "reason": reason,
        "message": message,
        "observedGeneration": obj["metadata"]["generation"],
        "lastTransitionTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
