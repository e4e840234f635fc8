"""The gateway of the data plane does what a conformant one does, seen by those who send requests."""

from collections.abc import Callable, Mapping

import pytest

from sandbox.dataplane.plane import Plane
from sandbox.kube import path_of
from sandbox.objects import POOL_API, pool_ref, rule
from sandbox.process import wait_until
from sandbox.world import CANARY, STABLE
from tests.traffic.asking import ask, pool_of, who_answers

Split = Callable[[Mapping[str, int]], None]


def test_before_a_rollout_the_old_pool_answers_everything(plane: Plane) -> None:
    assert who_answers(plane.url, 20) == {STABLE: 20}


@pytest.mark.parametrize(("old", "new"), [(90, 10), (50, 50), (9, 1)])
def test_each_pool_gets_its_share(plane: Plane, split: Split, old: int, new: int) -> None:
    split({STABLE: old, CANARY: new})

    found = who_answers(plane.url, 250)

    expected = 250 * new / (old + new)
    # Five standard deviations: one run in a million is outside.
    assert abs(found.get(CANARY, 0) - expected) < 5 * (expected * old / (old + new)) ** 0.5
    assert set(found) == {STABLE, CANARY}


def test_what_the_gateway_says_it_has_is_what_the_next_request_gets(plane: Plane, split: Split) -> None:
    for old, new, answers in ((0, 1, CANARY), (1, 0, STABLE), (0, 1, CANARY), (1, 0, STABLE)):
        split({STABLE: old, CANARY: new})
        assert who_answers(plane.url, 5) == {answers: 5}


def test_the_share_of_a_pool_that_is_not_there_fails_and_the_route_says_why(plane: Plane, split: Split) -> None:
    split({STABLE: 1, "nobody": 1})

    found = who_answers(plane.url, 60)

    assert set(found) == {STABLE, "500"}
    assert plane.world.conditions()["ResolvedRefs"][:2] == ("False", "BackendNotFound")


def test_the_share_of_an_empty_pool_is_unavailable(plane: Plane, split: Split) -> None:
    plane.scale(CANARY, 0)
    try:
        split({STABLE: 1, CANARY: 1})

        assert set(who_answers(plane.url, 40)) == {STABLE, "503"}
    finally:
        plane.scale(CANARY, 2)


def test_without_its_picker_a_pool_that_fails_closed_fails_and_one_that_fails_open_answers(
    plane: Plane, split: Split
) -> None:
    path = path_of(POOL_API, "InferencePool", "default", CANARY)
    plane.scale(f"{CANARY}-epp", 0)
    try:
        split({CANARY: 1})
        closed = who_answers(plane.url, 5)
        plane.kube.merge(path, {"spec": {"endpointPickerRef": {"failureMode": "FailOpen"}}})
        plane.controller.wait_taken()
        opened = who_answers(plane.url, 5)
    finally:
        plane.kube.merge(path, {"spec": {"endpointPickerRef": {"failureMode": "FailClose"}}})
        plane.scale(f"{CANARY}-epp", 1)

    assert (closed, opened) == ({"500": 5}, {CANARY: 5})


def test_a_rule_with_a_header_outranks_the_rule_for_everybody(plane: Plane) -> None:
    tried = {"matches": [{"headers": [{"name": "x-rollout-try", "value": "r-1"}]}], **_to(CANARY)}
    plane.world.set_rules([rule([pool_ref(STABLE, 1)]), tried])
    plane.world.wait_observed()

    assert pool_of(ask(plane.url, headers={"x-rollout-try": "r-1"})) == CANARY
    assert pool_of(ask(plane.url)) == STABLE


def test_a_mirror_sends_a_copy_and_the_answer_comes_from_the_backend(plane: Plane) -> None:
    mirror = {"type": "RequestMirror", "requestMirror": {"backendRef": pool_ref(CANARY), "percent": 100}}
    before = plane.answered(CANARY)
    plane.world.set_rules([{**rule([pool_ref(STABLE, 1)]), "filters": [mirror]}])
    plane.world.wait_observed()

    assert who_answers(plane.url, 10) == {STABLE: 10}
    wait_until("the copies are answered", lambda: plane.answered(CANARY) >= before + 10)


def test_a_path_without_a_rule_is_not_found(plane: Plane) -> None:
    plane.world.set_rules([rule([pool_ref(STABLE, 1)], "/v2")])
    plane.world.wait_observed()

    assert who_answers(plane.url, 2) == {"404": 2}


def test_a_route_that_envoy_refuses_is_not_accepted_and_the_old_one_stays(plane: Plane) -> None:
    odd = {"matches": [{"path": {"type": "RegularExpression", "value": "("}}], **_to(CANARY)}
    plane.world.set_rules([odd])
    plane.world.wait_observed()
    plane.controller.wait_taken()  # its own status is news for it, and it looks again

    assert plane.world.conditions()["Accepted"][:2] == ("False", "UnsupportedValue")
    assert who_answers(plane.url, 3) == {STABLE: 3}


def test_a_route_that_names_no_listener_is_not_accepted(plane: Plane) -> None:
    parents = plane.world.http_route()["spec"]["parentRefs"]
    plane.world.edit({"spec": {"parentRefs": [{**parents[0], "sectionName": "nobody"}]}})
    try:
        plane.world.wait_observed()
        said = plane.world.conditions()["Accepted"][:2]
    finally:
        plane.world.edit({"spec": {"parentRefs": parents}})

    assert said == ("False", "NoMatchingParent")


def test_a_missing_model_is_the_model_servers_own_404(plane: Plane) -> None:
    answer = ask(plane.url, model="nothing")

    assert (answer.status, answer.json()["error"]["message"]) == (404, "The model `nothing` does not exist.")


def _to(pool: str) -> Mapping[str, object]:
    return {"backendRefs": [pool_ref(pool, 1)]}
