"""Where a Gateway listens for a route."""

from typing import Any

import pytest

from k8s.gateway_address import Address, address_of

HTTP = {"name": "http", "port": 80, "protocol": "HTTP"}
HTTPS = {"name": "https", "port": 443, "protocol": "HTTPS", "hostname": "*.example.com"}
TCP = {"name": "tcp", "port": 9000, "protocol": "TCP"}


ROUTES = {"allowedRoutes": {"namespaces": {"from": "All"}}}


def a_gateway(*listeners: dict[str, Any], addresses: Any = ({"type": "IPAddress", "value": "192.0.2.1"},)) -> Any:
    about = {"namespace": "infra", "name": "edge"}
    spec = {"listeners": [{**ROUTES, **each} for each in listeners]}
    return {"metadata": about, "spec": spec, "status": {"addresses": list(addresses or ())}}


def at_port(port: int, hostname: str = "", **more: Any) -> dict[str, Any]:
    return {
        "name": f"at-{port}",
        "port": port,
        "protocol": "HTTP",
        **({"hostname": hostname} if hostname else {}),
        **more,
    }


def at(port: int = 80, host: str = "", address: str = "192.0.2.1") -> Address:
    return Address(address=address, port=port, host=host, is_tls=port == 443)


@pytest.mark.parametrize(
    ("gateway", "ref", "hosts", "where"),
    [
        (a_gateway(HTTP), {}, [], at()),
        (a_gateway(HTTPS, HTTP), {}, [], at()),
        (a_gateway(HTTPS, HTTP), {"sectionName": "https"}, [], at(443, "try.example.com")),
        (a_gateway(HTTPS, HTTP), {"port": 443}, ["llm.example.com"], at(443, "llm.example.com")),
        (a_gateway(HTTP), {}, ["*.example.com", "b.example.com"], at(host="b.example.com")),
        (a_gateway(HTTP, addresses=[{"type": "Hostname", "value": "lb.example"}]), {}, [], at(address="lb.example")),
        (a_gateway(HTTP, addresses=[{"value": "192.0.2.1"}]), {}, [], at()),
        (a_gateway(HTTP, addresses=[{"type": "example.com/mine", "value": "x"}]), {}, [], None),
        (a_gateway(HTTP, addresses=None), {}, [], None),
        (a_gateway(HTTP, addresses=[{"value": "169.254.169.254"}]), {}, [], None),
        (a_gateway(HTTP), {"sectionName": "other"}, [], None),
        (a_gateway(TCP), {}, [], None),
        ({"spec": {}}, {}, [], None),
        (a_gateway(HTTP, addresses=[{"value": "::ffff:169.254.169.254"}]), {}, [], None),
        (a_gateway(at_port(80, "a.x.io"), at_port(81, "b.x.io")), {}, ["b.x.io"], at(81, "b.x.io")),
        (a_gateway(at_port(80, "*.x.io")), {}, ["foo.com", "api.x.io"], at(host="api.x.io")),
        (a_gateway(at_port(80, "*.prod.x.io")), {}, ["*.x.io"], at(host="try.prod.x.io")),
        (a_gateway(at_port(80, "a.x.io")), {}, [], at(host="a.x.io")),
        (a_gateway(at_port(80, "a.x.io")), {}, ["b.x.io"], None),
        (a_gateway(at_port(80, "*.x.io")), {}, ["x.io"], None),
        (a_gateway(at_port(80, allowedRoutes={}), at_port(81)), {}, [], at(81)),
    ],
)
def test_requests_go_to_its_own_address_and_a_listener_of_the_route(
    gateway: Any, ref: Any, hosts: list[str], where: Address | None
) -> None:
    assert address_of(gateway, ref, {"metadata": {"namespace": "models"}, "spec": {"hostnames": hosts}}) == where
