"""Which Gateways a route attaches to."""

import pytest

from k8s.gateways import gateways_of
from tests.k8s.build import Json, a_route


@pytest.mark.parametrize(
    ("parents", "named"),
    [
        ([{"name": "inference-gateway"}], ("default/inference-gateway",)),
        ([{"name": "shared", "namespace": "infra", "kind": "Gateway"}], ("infra/shared",)),
        ([{"name": "one", "sectionName": "http"}, {"name": "one", "sectionName": "https"}], ("default/one",)),
        ([{"name": "llm", "kind": "Service"}], ()),
        ([], ()),
    ],
)
def test_gateways_are_named_once_and_other_parents_not_at_all(parents: list[Json], named: tuple[str, ...]) -> None:
    assert gateways_of({**a_route(), "spec": {"parentRefs": parents}}) == named
