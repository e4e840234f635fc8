"""Which ReferenceGrants let a route of another namespace send to a pool."""

from typing import Any

import pytest

from bot.domain.rollout import Pool
from k8s.reference_grants import permits

POOL = Pool("pools", "llama-new")
ROUTES = {"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "namespace": "infra"}
POOLS = {"group": "inference.networking.k8s.io", "kind": "InferencePool"}


def a_grant(*, of: Any = ROUTES, to: Any = POOLS) -> dict[str, Any]:
    return {"spec": {"from": [of], "to": [to]}}


@pytest.mark.parametrize(
    ("grants", "permitted"),
    [
        ([], False),
        ([{"spec": {}}], False),
        ([{"spec": {"from": None, "to": None}}], False),
        ([a_grant()], True),
        ([a_grant(to={**POOLS, "name": "llama-new"})], True),
        ([a_grant(to={**POOLS, "name": ""})], True),
        ([a_grant(to={**POOLS, "name": "llama"})], False),
        ([a_grant(to={**POOLS, "name": "llama"}), a_grant(to={**POOLS, "name": "llama-new"})], True),
        ([a_grant(to={"group": "", "kind": "Service"})], False),
        ([a_grant(to={**POOLS, "group": "inference.networking.x-k8s.io"})], False),
        ([a_grant(of={**ROUTES, "namespace": "other"})], False),
        ([a_grant(of={**ROUTES, "kind": "GRPCRoute"})], False),
        ([a_grant(of={**ROUTES, "namespace": "other"}), a_grant(to={"group": "", "kind": "Service"})], False),
    ],
)
def test_a_grant_names_the_routes_namespace_and_the_pool_or_all_pools(grants: list[Any], permitted: bool) -> None:
    assert permits(grants, "infra", POOL) is permitted
