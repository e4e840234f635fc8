"""Gateways and their classes: whose word counts for a parent of a route, and whether its data plane is programmed.

They are watched. Without a watch they are read when somebody asks, and kept for some seconds: the answer is the same
for every route of a Gateway.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, Generic, TypeVar

from kubernetes.client import ApiClient

from bot.domain.errors import ClusterError, GoneError, RefusedError
from bot.engine.gateway_word import Bars, Objection
from k8s import client
from k8s.document import Document, full_name, namespace_of
from k8s.route_status import GATEWAY_API, GatewayFacts, Parent, conditions_in, key_of, objection, parent_refs
from k8s.watches import Watches

GATEWAYS: Final = client.Resource(f"/apis/{GATEWAY_API}/v1", "gateways", "Gateway")
CLASSES: Final = client.Resource(f"/apis/{GATEWAY_API}/v1", "gatewayclasses", "GatewayClass")

KEPT: Final = timedelta(seconds=10)
"""What holds a step because of a Gateway may be as old as that."""
CLASS_KEPT: Final = timedelta(minutes=5)
REFUSED_KEPT: Final = timedelta(minutes=5)
MOST: Final = 1000

UNKNOWN: Final = GatewayFacts()

K = TypeVar("K")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Kept(Generic[T]):
    """Something that was read, and for how long it need not be read again."""

    value: T
    at: datetime
    lasts: timedelta

    def is_fresh(self, now: datetime) -> bool:
        return timedelta(0) <= now - self.at < self.lasts


@dataclass(frozen=True, slots=True)
class ClassFacts:
    """The controller that a GatewayClass names, empty if nobody knows, and the features that it says it has."""

    controller: str = ""
    features: frozenset[str] = frozenset()


class Gateways:
    """Reads Gateways and GatewayClasses. What cannot be read is unknown, or as it was; it never raises."""

    def __init__(self, api: ApiClient, watches: Watches, now: Callable[[], datetime]) -> None:
        self._api, self._watches, self._now = api, watches, now
        self._facts: dict[tuple[str, str], _Kept[GatewayFacts]] = {}
        self._classes: dict[str, _Kept[ClassFacts]] = {}
        self._lock = threading.Lock()

    def parents(self, route: Document) -> Sequence[Parent]:
        """Return every parent of a route with what is known of it."""
        return [Parent(ref=ref, facts=self._facts_of(ref, namespace_of(route))) for ref in parent_refs(route)]

    def _facts_of(self, ref: Mapping[str, Any], namespace: str) -> GatewayFacts:
        if (ref.get("kind") or "Gateway") != "Gateway" or (ref.get("group") or GATEWAY_API) != GATEWAY_API:
            return UNKNOWN
        key = gateway_key(ref, namespace)
        if self._watches.objects(GATEWAYS, "") is None:
            return self._get(self._facts, key, lambda kept: self._read(*key, kept or UNKNOWN))
        gateway = self._watches.object(GATEWAYS, *key)
        return self._facts_in(gateway) if gateway else GatewayFacts(objections=(_missing(*key),))

    def _get(self, store: dict[K, _Kept[T]], key: K, read: Callable[[T | None], tuple[T, timedelta]]) -> T:
        """Return what is kept under a key, or read it: ``read`` gets what was kept last."""
        now = self._now()
        with self._lock:
            kept = store.get(key)
        if kept is not None and kept.is_fresh(now):
            return kept.value
        value, lasts = read(kept.value if kept else None)
        with self._lock:
            if len(store) >= MOST:
                store.clear()
            store[key] = _Kept(value, now, lasts)
        return value

    def _read(self, namespace: str, name: str, kept: GatewayFacts) -> tuple[GatewayFacts, timedelta]:
        """Return what is known of a Gateway, and for how long."""
        try:
            gateway = client.get(self._api, GATEWAYS, namespace, name)
        except GoneError:
            return replace(kept, objections=(_missing(namespace, name),)), KEPT
        except RefusedError:
            return UNKNOWN, REFUSED_KEPT
        except ClusterError:
            return kept, KEPT
        return self._facts_in(gateway), KEPT

    def _facts_in(self, gateway: Document) -> GatewayFacts:
        class_name = str(gateway.get("spec", {}).get("gatewayClassName") or "")
        watched = self._watches.object(CLASSES, "", class_name)
        if watched is None:
            known = self._get(self._classes, class_name, lambda kept: self._class(class_name, kept or ClassFacts()))
        else:
            known = _facts_of_class(watched)
        return GatewayFacts(controller=known.controller, features=known.features, objections=objections_of(gateway))

    def _class(self, class_name: str, kept: ClassFacts) -> tuple[ClassFacts, timedelta]:
        """Return what is known of a class, and for how long."""
        try:
            found = client.get(self._api, CLASSES, "", class_name)
        except RefusedError:
            return kept, REFUSED_KEPT
        except ClusterError:
            return kept, KEPT
        return _facts_of_class(found), CLASS_KEPT


def gateway_key(ref: Mapping[str, Any], namespace: str) -> tuple[str, str]:
    """Return namespace and name of the Gateway that a parentRef of a route of a namespace names."""
    return str(ref.get("namespace") or namespace), str(ref.get("name"))


def gateways_of(route: Document) -> tuple[str, ...]:
    """Name the Gateways that a route attaches to (namespace/name), each once."""
    keys = (gateway_key(ref, namespace_of(route)) for ref in parent_refs(route) if ref.get("kind") in (None, "Gateway"))
    return tuple(dict.fromkeys("/".join(key) for key in keys))


def has_parent(route: Document, gateway: Document) -> bool:
    """Say whether one of a route's parentRefs names a Gateway."""
    key = namespace_of(gateway), str(gateway["metadata"]["name"])
    return any(gateway_key(ref, namespace_of(route)) == key for ref in parent_refs(route))


def _facts_of_class(gateway_class: Document) -> ClassFacts:
    """Read a class; Gateway API 1.1 lists its features as bare names, later versions as objects."""
    listed = (gateway_class.get("status") or {}).get("supportedFeatures") or ()
    return ClassFacts(
        controller=str(gateway_class.get("spec", {}).get("controllerName") or ""),
        features=frozenset(str(each.get("name") if isinstance(each, Mapping) else each) for each in listed),
    )


def objections_of(gateway: Document) -> tuple[Objection, ...]:
    """Return what a Gateway says against itself."""
    where, meta = f"Gateway `{full_name(gateway)}`", gateway["metadata"]
    noes = [
        each
        for each in conditions_in(gateway.get("status") or {})
        if each.get("type") in ("Accepted", "Programmed") and each.get("status") == "False"
    ]
    leaving = [_ending(where)] if meta.get("deletionTimestamp") else []
    return (*leaving, *(objection(where, each, Bars.PROGRAM) for each in noes))


def _ending(where: str) -> Objection:
    return Objection(key=key_of(where, "ends"), said=f"{where} is being deleted.", bars=Bars.PROGRAM)


def _missing(namespace: str, name: str) -> Objection:
    where = f"Gateway `{namespace}/{name}`"
    return Objection(key=key_of(where, "is missing"), said=f"{where} does not exist.", bars=Bars.PROGRAM)
