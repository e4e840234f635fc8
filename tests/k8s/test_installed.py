"""What is said of the CustomResourceDefinitions that are installed."""

from typing import Any

import pytest

from bot.domain.check import Grade
from k8s.installed import lines

ROUTES, POOLS = "httproutes.gateway.networking.k8s.io", "inferencepools.inference.networking.k8s.io"


def a_definition(name: str, version: str = "v1.5.0", *, conditions: Any = (), **meta: Any) -> dict[str, Any]:
    group = name.partition(".")[2]
    annotations = {f"{group}/bundle-version": version} if version else {}
    return {
        "metadata": {"name": name, "annotations": {**annotations, **meta.pop("annotations", {})}, **meta},
        "spec": {"group": group},
        "status": {"conditions": conditions},
    }


def a_no(kind: str) -> list[dict[str, str]]:
    return [{"type": kind, "status": "False", "reason": "Why", "message": "names are taken"}]


ENDING = a_definition(POOLS, deletionTimestamp="2026-11-27T12:00:00Z")
EXPERIMENTAL = a_definition(ROUTES, annotations={"gateway.networking.k8s.io/channel": "experimental"})
NOT_SERVED = f"CustomResourceDefinition `{POOLS}` is not served as it is"
INFERENCE = "Gateway API Inference Extension v1.5.0"


@pytest.mark.parametrize(
    ("definitions", "said"),
    [
        ([], []),
        ([a_definition(ROUTES, ""), a_definition(POOLS, "")], []),
        (
            [a_definition(ROUTES, "v1.6.1"), a_definition(POOLS)],
            [(Grade.PASS, f"Installed: Gateway API v1.6.1, {INFERENCE}.")],
        ),
        ([EXPERIMENTAL], [(Grade.PASS, "Installed: Gateway API v1.5.0 (experimental channel).")]),
        (
            [ENDING],
            [
                (
                    Grade.STOP,
                    f"CustomResourceDefinition `{POOLS}` is being deleted, and all its objects with it. "
                    "Install it again first.",
                ),
                (Grade.PASS, f"Installed: {INFERENCE}."),
            ],
        ),
        (
            [a_definition(POOLS, "", conditions=a_no("NamesAccepted"))],
            [
                (
                    Grade.STOP,
                    f"{NOT_SERVED}: names are taken. Mend it first.",
                )
            ],
        ),
        (
            [a_definition(POOLS, conditions=[{**a_no("Established")[0], "reason": "Installing"}])],
            [(Grade.PASS, f"Installed: {INFERENCE}.")],
        ),
        ([a_definition(POOLS, conditions=a_no("Odd"))], [(Grade.PASS, f"Installed: {INFERENCE}.")]),
        ([a_definition(POOLS, conditions=None)], [(Grade.PASS, f"Installed: {INFERENCE}.")]),
    ],
)
def test_versions_are_named_and_what_does_not_stay_stops(definitions: Any, said: list[tuple[Grade, str]]) -> None:
    assert [(line.grade, line.text) for line in lines(definitions)] == said
