"""How the checks of a chaos run judge a rollout's own mirror, and the filters of others."""

from dataclasses import replace
from typing import Any

import pytest

from bot.domain.rollout import Phase, Rollout
from chaos.checks.routes import foreign_bytes, sums
from chaos.evidence import Evidence
from chaos.tape import NOTES, Version
from k8s.document import ANNOTATION
from tests.builders import CANARY, NOON, PLAN, STABLE, a_rollout
from tests.chaos.test_outcomes import a_click, a_run
from tests.k8s.build import a_moving, a_ref, a_route, a_rule

KEY = ("default", "llm-route")
T0 = NOON.timestamp()
THEIRS: dict[str, Any] = {"type": "RequestHeaderModifier", "requestHeaderModifier": {"remove": ["x"]}}
OURS: dict[str, Any] = {"type": "RequestMirror", "requestMirror": {"backendRef": a_ref(CANARY, None), "percent": 10}}
MOVING = a_moving(a_route(a_rule(a_ref(STABLE))), stable=a_rollout().stable, canary=a_rollout().canary)
MIRRORING = a_rollout(
    rules=(MOVING,), plan=replace(PLAN, mirror=10, steps=(0, 10, 100)), step=0, base=-1, revision=1, decision="d1"
)
AT_10 = replace(MIRRORING, step=1, base=0, revision=2, decision="d2")
BACK = replace(MIRRORING, phase=Phase.ROLLED_BACK, base=0, revision=2, decision="d2")


def a_version(place: int, note: Rollout | None, filters: list[dict[str, Any]], canary: int = 0) -> Version:
    refs = [a_ref(STABLE, 100 - canary), a_ref(CANARY, canary)] if canary else [a_ref(STABLE, 1)]
    document = a_route(a_rule(*refs, filters=filters))
    document["metadata"] |= {"resourceVersion": str(place), "uid": a_rollout().route_uid, "annotations": {}}
    if note is not None:
        document["metadata"]["annotations"][ANNOTATION] = NOTES.write(note)
    return Version(T0 + place, "MODIFIED", document)


def a_tape(*versions: Version) -> Evidence:
    return a_run(a_click(), routes={KEY: versions})


BEFORE = a_version(0, None, [THEIRS])
MIRRORED = a_version(1, MIRRORING, [THEIRS, OURS])


def test_a_mirror_that_comes_and_goes_with_its_rollout_is_right() -> None:
    for after in (a_version(2, AT_10, [THEIRS], canary=10), a_version(2, BACK, [THEIRS])):
        tape = a_tape(BEFORE, MIRRORED, after)
        assert [sums(tape).violations, foreign_bytes(tape).violations] == [[], []]


@pytest.mark.parametrize(
    ("after", "said"),
    [
        (a_version(2, BACK, [THEIRS, OURS]), "its mirror is still there after the roll back"),
        (a_version(2, BACK, []), "other filters changed"),
        (a_version(2, replace(AT_10, step=0), [OURS, THEIRS, OURS]), "2 mirrors of ours at 0 %"),
    ],
)
def test_what_is_wrong_with_a_write_is_found(after: Version, said: str) -> None:
    found = foreign_bytes(a_tape(BEFORE, MIRRORED, after))
    assert [each.said for each in found.violations] == [f"version 2: rule 0: {said}"]
