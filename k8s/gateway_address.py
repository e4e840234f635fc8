"""Where a Gateway listens for a route: its own address, and a listener that the route is attached to. Pure."""

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from k8s.document import Document

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
    values = [value for value in values if not _is_local(value)]
    listeners = sorted(_listeners(gateway, ref), key=lambda each: PROTOCOLS.index(each["protocol"]))
    if not values or not listeners:
        return None
    first = listeners[0]
    host = _host([*(route["spec"].get("hostnames") or ()), *filter(None, [first.get("hostname")])])
    return Address(address=values[0], port=int(first["port"]), host=host, is_tls=first["protocol"] == "HTTPS")


def _listeners(gateway: Document, ref: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    section, port = ref.get("sectionName"), ref.get("port")
    for listener in gateway["spec"].get("listeners") or ():
        named = section in (None, "", listener["name"]) and port in (None, listener["port"])
        if named and listener.get("protocol") in PROTOCOLS:
            yield listener


def _is_local(value: str) -> bool:
    """Say whether an address is none of a gateway: at a cloud's metadata, for example."""
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        return False
    return address.is_link_local or address.is_multicast or address.is_unspecified


def _host(names: list[str]) -> str:
    """Return a host that one of the names takes; ``*.example.com`` takes any below it."""
    exact = [name for name in names if not name.startswith("*")]
    return (exact or [name.replace("*", "try", 1) for name in names] or [""])[0]
