"""What the gateway says of a generation, out of a route's status."""

from typing import Any

import pytest

from bot.engine.notes import NO_KEYS
from bot.engine.route_port import GatewaySays, GatewayWord
from k8s.httproute import copy_of, gateway_says
from tests.k8s.build import Json, a_ref, a_route, a_rule

NOTHING = GatewayWord(says=GatewaySays.NOTHING)
ACCEPTED = GatewayWord(says=GatewaySays.ACCEPTED)


def a_condition(kind: str, status: str = "True", seen: int = 5, message: str = "") -> Json:
    return {"type": kind, "status": status, "reason": "Why", "message": message, "observedGeneration": seen}


def good(seen: int = 5) -> list[Json]:
    return [a_condition("Accepted", seen=seen), a_condition("ResolvedRefs", seen=seen)]


def a_parent(conditions: list[Json], name: str = "inference-gateway", **ref: Any) -> Json:
    full = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": name, **ref}
    return {"parentRef": full, "controllerName": "example.com/x", "conditions": conditions}


def refused(message: str) -> GatewayWord:
    return GatewayWord(says=GatewaySays.REJECTED, message=message)


@pytest.mark.parametrize(
    ("parents", "says"),
    [
        ([], NOTHING),
        ([a_parent([])], NOTHING),
        ([a_parent(good())], ACCEPTED),
        ([a_parent(good(), namespace="default")], ACCEPTED),
        ([a_parent(good(seen=6))], ACCEPTED),
        ([a_parent(good(seen=4))], NOTHING),
        ([a_parent([a_condition("Accepted")])], NOTHING),
        ([a_parent([a_condition("Accepted"), a_condition("ResolvedRefs", seen=4)])], NOTHING),
        ([a_parent([a_condition("Accepted"), a_condition("ResolvedRefs", "Unknown")])], NOTHING),
        ([a_parent([a_condition("Accepted", "False", seen=4), a_condition("ResolvedRefs")])], NOTHING),
        ([a_parent(good(), name="another")], NOTHING),
        ([a_parent(good(), sectionName="http")], NOTHING),
        ([a_parent(good(), namespace="infra")], NOTHING),
        ([a_parent(good(seen=1)), a_parent(good())], ACCEPTED),
        (
            [a_parent([a_condition("Accepted", "False", message="no\n such  listener"), a_condition("ResolvedRefs")])],
            refused("Gateway `default/inference-gateway`: Accepted is False (Why): no such listener"),
        ),
        (
            [a_parent([a_condition("Accepted", "False", message="at https://x.y/?t=1 with Bearer abcdefgh")])],
            refused("Gateway `default/inference-gateway`: Accepted is False (Why): at … with …"),
        ),
        (
            [a_parent([a_condition("Accepted"), a_condition("ResolvedRefs", "False")])],
            refused("Gateway `default/inference-gateway`: ResolvedRefs is False (Why): no message"),
        ),
    ],
)
def test_a_single_parent(parents: list[Json], says: GatewayWord) -> None:
    route = {**a_route(a_rule(a_ref("llama")), generation=5), "status": {"parents": parents}}

    assert gateway_says(copy_of(route, NO_KEYS), 5) == says


@pytest.mark.parametrize(
    ("parents", "says"),
    [
        ([a_parent(good(), "a"), a_parent(good(), "b", namespace="infra")], ACCEPTED),
        ([a_parent(good(), "a")], NOTHING),
        ([a_parent(good(), "a"), a_parent(good(4), "b", namespace="infra")], NOTHING),
        (
            [a_parent([a_condition("Accepted", "False")], "b", namespace="infra")],
            refused("Gateway `infra/b`: Accepted is False (Why): no message"),
        ),
    ],
)
def test_every_parent_must_accept_and_one_may_refuse(parents: list[Json], says: GatewayWord) -> None:
    route = {**a_route(a_rule(a_ref("llama"))), "status": {"parents": parents}}
    route["spec"]["parentRefs"] = [{"name": "a"}, {"name": "b", "namespace": "infra"}]

    assert gateway_says(copy_of(route, NO_KEYS), 5) == says


def test_a_route_without_parents_is_never_accepted() -> None:
    route = a_route(a_rule(a_ref("llama")))
    route["spec"].pop("parentRefs")

    assert gateway_says(copy_of(route, NO_KEYS), 1) == NOTHING
