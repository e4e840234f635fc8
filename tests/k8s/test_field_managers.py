"""Who edited a route, out of its managedFields."""

from datetime import UTC, datetime

import pytest

from bot.domain.rollout import Hand
from k8s.document import ANNOTATION
from k8s.field_managers import annotation_editor, last_editor
from tests.k8s.build import Json, a_ref, a_route, a_rule

RULES: Json = {"f:spec": {"f:rules": {}}}
NOTE: Json = {"f:metadata": {"f:annotations": {".": {}, f"f:{ANNOTATION}": {}}}}
LABEL: Json = {"f:metadata": {"f:labels": {"f:team": {}}}}


def wrote(manager: str, second: int, fields: Json | None = None, **more: str) -> Json:
    return {"manager": manager, "time": f"2026-11-23T12:00:{second:02}Z", "fieldsV1": fields or {}, **more}


US = wrote("rolloutbot", 10, RULES | NOTE)
STATUS = wrote("gateway", 20, {"f:status": {}}, subresource="status")


@pytest.mark.parametrize(
    ("managers", "name", "second"),
    [
        ([US, STATUS], "", None),
        ([US, wrote("kubectl-edit", 12, RULES)], "kubectl-edit", 12),
        ([US, wrote("helm", 9, RULES), wrote("kubectl-edit", 12, LABEL)], "helm", 9),
        ([US, wrote("helm", 9, RULES), wrote("kubectl-edit", 12, RULES)], "kubectl-edit", 12),
        ([US, wrote("velero", 9, NOTE), wrote("kubectl-label", 12, LABEL)], "velero", 9),
        ([US, wrote("kubectl-edit", 12, LABEL), STATUS], "kubectl-edit", 12),
        ([US, wrote("kubectl-create", 10, LABEL)], "", None),
        ([wrote("kubectl-create", 10, LABEL)], "", None),
        ([US, {"manager": "old", "fieldsV1": RULES}], "old", None),
        ([], "", None),
    ],
    ids=[
        "only we",
        "the rules",
        "the rules before the newest",
        "the newest of the rules",
        "the note before the newest",
        "a trace after us",
        "the same second",
        "we have left no trace",
        "without a time",
        "nobody",
    ],
)
def test_the_hand_behind_an_edit(managers: list[Json], name: str, second: int | None) -> None:
    at = None if second is None else datetime(2026, 11, 23, 12, 0, second, tzinfo=UTC)
    assert last_editor(a_route(a_rule(a_ref("pool")), managedFields=managers)) == Hand(manager=name, at=at)


def test_a_known_tool_comes_with_the_rule_that_stops_it() -> None:
    route = a_route(a_rule(a_ref("pool")), managedFields=[US, wrote("argocd-controller", 12, RULES)])
    assert last_editor(route).rule == (
        "Add to the Application `ignoreDifferences: [{group: gateway.networking.k8s.io, kind: HTTPRoute, "
        "name: llm-route, jqPathExpressions: ['.spec.rules[].backendRefs']}]` and "
        "`syncOptions: [RespectIgnoreDifferences=true]`."
    )


@pytest.mark.parametrize(
    ("managers", "name"),
    [
        ([wrote("velero", 9, NOTE)], "velero"),
        ([wrote("rolloutbot", 8, RULES), wrote("velero", 9, NOTE), wrote("kubectl-edit", 12, RULES)], "velero"),
        ([wrote("rolloutbot", 9, NOTE), wrote("velero", 12, NOTE)], None),
        ([US, wrote("kubectl-edit", 12, RULES)], None),
        ([], None),
    ],
    ids=["another", "another, and later edits", "both", "only we", "nobody can say"],
)
def test_whose_the_annotation_is(managers: list[Json], name: str | None) -> None:
    found = annotation_editor(a_route(a_rule(a_ref("pool")), managedFields=managers))
    assert (found.manager if found else None) == name
