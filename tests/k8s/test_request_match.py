"""Which rule takes a request: the most specific match, wherever it stands."""

from typing import Any

import pytest

from k8s.request_match import Asked, taker


def path(value: str, kind: str = "PathPrefix") -> dict[str, Any]:
    return {"path": {"type": kind, "value": value}}


def header(value: str = "a", kind: str = "Exact") -> dict[str, Any]:
    return {"headers": [{"name": "X-Team", "type": kind, "value": value}]}


@pytest.mark.parametrize(
    ("rules", "rule"),
    [
        ([{}], 0),
        ([{"matches": []}, {"matches": [path("/v1")]}], 1),
        ([{"matches": [path("/v1")]}, {"matches": [path("/v1/completions")]}], 1),
        ([{"matches": [path("/v1/completions", "Exact")]}, {"matches": [path("/v1/completions")]}], 0),
        ([{"matches": [path("/v1")]}, {"matches": [path("/v1")]}], 0),
        ([{"matches": [path("/v1")]}, {"matches": [{**path("/v1"), "method": "POST"}]}], 1),
        ([{"matches": [path("/v1")]}, {"matches": [{**path("/v1"), "method": "GET"}]}], 0),
        ([{"matches": [path("/v1")]}, {"matches": [{**path("/v1"), **header()}]}], 1),
        ([{"matches": [path("/v1")]}, {"matches": [{**path("/v1"), **header("b")}]}], 0),
        ([{"matches": [path("/v1/comp")]}], None),
        ([{"matches": [path("/v1/completions/")]}], 0),
        ([{"matches": [path("/v1/completions/x"), path("/")]}], 0),
        ([{"matches": [{**path("/"), "queryParams": [{"name": "a", "value": "b"}]}]}], None),
        ([{"matches": [path("(/v1)+.*", "RegularExpression")]}], None),
        ([{"matches": [header(".*", "RegularExpression")]}], None),
        ([], None),
    ],
)
def test_the_most_specific_match_takes_it(rules: list[dict[str, Any]], rule: int | None) -> None:
    asked = Asked(method="POST", path="/v1/completions", headers={"x-team": "a"})
    found = taker({"spec": {"rules": rules}}, asked)
    assert (found.rule if found else None) == rule
