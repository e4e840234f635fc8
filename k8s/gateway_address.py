"""Where a Gateway listens for a route: its own address, and a listener that the route is attached to. Pure."""

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from k8s.document import Document, namespace_of

PROTOCOLS: Final = ("HTTP", "HTTPS")
"""Those that a request can use, the first ones rather."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """An IP address or a name, a port, and the host that requests have to name; empty: any."""

    address: str
    port: int
    host: str
    is_tls: bool


def address_of(gateway: Document, ref: Mapping[str, Any], route: Document) -> Address | None:
    """Return where requests for a route reach a Gateway that its parentRef names; None if nobody can tell."""
    given = (gateway.get("status") or {}).get("addresses") or ()
    values = [str(each["value"]) for each in given if each.get("type") in (None, "IPAddress", "Hostname")]
    values = [value for value in values if not is_local(value)]
    listeners = sorted(_listeners(gateway, ref, route), key=lambda each: PROTOCOLS.index(each[0]["protocol"]))
    if not values or not listeners:
        return None
    first, host = listeners[0]
    return Address(address=values[0], port=int(first["port"]), host=host, is_tls=first["protocol"] == "HTTPS")


def _listeners(gateway: Document, ref: Mapping[str, Any], route: Document) -> Iterator[tuple[Mapping[str, Any], str]]:
    """Yield the listeners that take the route, each with a host that both take; empty: any."""
    section, port = ref.get("sectionName"), ref.get("port")
    for listener in gateway["spec"].get("listeners") or ():
        named = section in (None, "", listener["name"]) and port in (None, listener["port"])
        host = _common(listener.get("hostname") or "", route["spec"].get("hostnames") or ("",))
        if named and listener.get("protocol") in PROTOCOLS and host is not None and _admits(listener, gateway, route):
            yield listener, host


def _admits(listener: Mapping[str, Any], gateway: Document, route: Document) -> bool:
    """Say whether a listener admits routes of this one's namespace; what a selector selects is not looked up."""
    allowed = ((listener.get("allowedRoutes") or {}).get("namespaces") or {}).get("from") or "Same"
    return allowed != "Same" or namespace_of(gateway) == namespace_of(route)


def _common(listener: str, hosts: Sequence[str]) -> str | None:
    """Return a host that the listener and one of the route's hosts take, an exact one rather; None if there is none."""
    found = [host for each in hosts if (host := _narrower(listener, each)) is not None]
    exact = [host for host in found if not host.startswith("*")]
    return next(iter([*exact, *(host.replace("*", "try", 1) for host in found)]), None)


def _narrower(one: str, other: str) -> str | None:
    """Return the narrower of two hostnames of which one takes the other; the empty one takes all."""
    if not one or not other:
        return one or other
    wide, narrow = sorted((one, other), key=len) if one.startswith("*") and other.startswith("*") else (one, other)
    if not wide.startswith("*"):
        wide, narrow = narrow, wide
    fits = narrow.endswith(wide[1:]) if wide.startswith("*") else narrow == wide
    return narrow if fits else None


def is_local(value: str) -> bool:
    """Say whether an address is none of a gateway: at a cloud's metadata, for example."""
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        return False
    address = getattr(address, "ipv4_mapped", None) or address
    return address.is_link_local or address.is_multicast or address.is_unspecified
