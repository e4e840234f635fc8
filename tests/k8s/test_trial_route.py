"""The route of a trial."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.domain.rollout import Pool
from k8s.trial_route import OF_TRIAL, is_stray, is_trial, trial_route

NEW = Pool("models", "chat-v2")
HEADER = {"name": "x-rollout-try", "value": "k"}
MARKED = {"type": "ResponseHeaderModifier", "responseHeaderModifier": {"set": [HEADER]}}


def a_ref(name: str, **more: Any) -> dict[str, Any]:
    return {"group": NEW.group, "kind": "InferencePool", "name": name, **more}


def a_route(**rule: Any) -> dict[str, Any]:
    spec = {"parentRefs": [{"name": "edge"}], "hostnames": ["llm.example.com"], "rules": [{}, rule]}
    return {"metadata": {"namespace": "models", "name": "llm-route"}, "spec": spec}


def made(**rule: Any) -> dict[str, Any]:
    return trial_route(a_route(**rule), 1, "o-1", "x-rollout-try", {"k": NEW})


def test_it_is_like_the_real_one_for_requests_with_our_header_and_all_to_the_canary() -> None:
    path = {"path": {"type": "PathPrefix", "value": "/v1"}}
    rewrite = {"type": "URLRewrite", "urlRewrite": {}}
    mirror = {"type": "RequestMirror", "requestMirror": {"backendRef": a_ref("chat-v0")}}
    matches = [{**path, "headers": [{"name": "x-team", "value": "a"}]}, path]
    route = made(
        name="chat",
        matches=matches,
        filters=[rewrite, mirror],
        backendRefs=[a_ref("chat-v1", weight=100)],
        timeouts={"request": "30s"},
    )
    assert route == {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "try-o-1", "namespace": "models", "labels": {OF_TRIAL: "o-1"}},
        "spec": {
            "parentRefs": [{"name": "edge"}],
            "hostnames": ["llm.example.com"],
            "rules": [
                {
                    "matches": [
                        {**path, "headers": [{"name": "x-team", "value": "a"}, HEADER]},
                        {**path, "headers": [HEADER]},
                    ],
                    "filters": [rewrite, MARKED],
                    "backendRefs": [a_ref("chat-v2", weight=1)],
                    "timeouts": {"request": "30s"},
                }
            ],
        },
    }


def test_it_has_the_canarys_own_backend_ref_where_the_rule_has_it_but_no_mirror_of_it() -> None:
    mirror = {"type": "RequestMirror", "requestMirror": {"backendRef": a_ref("chat-v0")}}
    header = {"type": "RequestHeaderModifier", "requestHeaderModifier": {"remove": ["x-debug"]}}
    own = a_ref("chat-v2", weight=0, port=8000)
    (rule,) = made(backendRefs=[a_ref("chat-v1", weight=1), {**own, "filters": [mirror, header]}])["spec"]["rules"]
    assert rule["backendRefs"] == [{**own, "filters": [header], "weight": 1}]
    assert rule["matches"] == [{"headers": [HEADER]}]


def test_a_rule_that_changes_answers_goes_on_with_that() -> None:
    other = {"name": "x-served-by", "value": "llm"}
    change = {"type": "ResponseHeaderModifier", "responseHeaderModifier": {"set": [other], "remove": ["server"]}}
    (rule,) = made(filters=[change])["spec"]["rules"]
    marked = {"set": [other, HEADER], "remove": ["server"]}
    assert rule["filters"] == [{"type": "ResponseHeaderModifier", "responseHeaderModifier": marked}]


def test_each_key_leads_to_its_own_pool() -> None:
    alone = {"k": NEW, "j": Pool("models", "chat-v1")}
    first, second = trial_route(a_route(), 1, "o-1", "x-rollout-try", alone)["spec"]["rules"]
    assert (first["matches"], first["backendRefs"]) == ([{"headers": [HEADER]}], [a_ref("chat-v2", weight=1)])
    other = {**HEADER, "value": "j"}
    assert (second["matches"], second["backendRefs"]) == ([{"headers": [other]}], [a_ref("chat-v1", weight=1)])


NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "labels", "made_at", "is_one", "is_left"),
    [
        ("try-o-1", {OF_TRIAL: "o-1"}, "2026-11-28T11:30:00Z", True, True),
        ("try-o-1", {OF_TRIAL: "o-1"}, "2026-11-28T11:50:00Z", True, False),
        ("llm-route", {OF_TRIAL: "o-1"}, "2026-11-28T10:00:00Z", False, False),
        ("try-o-1", None, "2026-11-28T10:00:00Z", False, False),
    ],
)
def test_it_is_known_by_label_and_name_and_left_behind_if_it_is_old(
    name: str, labels: dict[str, str] | None, made_at: str, is_one: bool, is_left: bool
) -> None:
    route = {"metadata": {"name": name, "labels": labels, "creationTimestamp": made_at}}
    assert (is_trial(route), is_stray(route, NOW, timedelta(minutes=20))) == (is_one, is_left)
