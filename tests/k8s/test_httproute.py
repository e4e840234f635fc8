"""Reading and writing a route on the real API server."""

from dataclasses import replace

import pytest
from kubernetes.client import ApiClient

from bot.domain.errors import RaceError, RefusedError
from bot.domain.rollout import Pair, Phase
from bot.engine.gateway_word import Bars, GatewaySays
from bot.engine.notes import NO_KEYS
from bot.engine.route_port import Guard, Note, Proof, Written
from k8s import client, httproute
from k8s.cluster import Cluster
from k8s.document import ANNOTATION
from sandbox.gateway import Answer
from sandbox.objects import pool_ref, rule
from sandbox.robot import Robot
from sandbox.world import CANARY, ROUTE, STABLE, World
from tests.k8s.stories import back, start, write


def test_a_step_moves_both_weights_and_can_be_read_back(world: World, cluster: Cluster) -> None:
    rollout = start(cluster)
    copy = cluster.read(world.namespace, ROUTE)

    assert world.weights() == [(STABLE, 90), (CANARY, 10)]
    assert copy.note == Note(rollout, Proof.UNPROTECTED)
    assert cluster.observe(copy, rollout) == (Pair(90, 10),)
    assert [each.note for each in cluster.list(world.namespace)] == [copy.note]


def test_a_whole_rollout_and_its_roll_back_leave_the_spec_as_it_was(world: World, cluster: Cluster) -> None:
    before = world.http_route()["spec"]
    rollout = start(cluster)
    for number, (phase, step) in enumerate([(Phase.PROGRESSING, 1), (Phase.PROMOTED, 3), (Phase.FINISHED, 3)], start=2):
        write(cluster, replace(rollout, phase=phase, step=step, revision=number, decision=f"d-{number}"))
    assert world.weights() == [(CANARY, 100)]

    write(cluster, back(rollout))

    assert world.http_route()["spec"] == before


def test_the_write_is_ours_in_managed_fields(world: World, cluster: Cluster) -> None:
    start(cluster)

    managers = [(each["manager"], each["operation"]) for each in world.http_route()["metadata"]["managedFields"]]
    assert ("rolloutbot", "Update") in managers


def test_a_write_of_the_annotation_alone_keeps_the_generation(world: World, cluster: Cluster) -> None:
    rollout = start(cluster)
    generation = world.http_route()["metadata"]["generation"]

    assert write(cluster, replace(rollout, phase=Phase.PAUSED, decision="d-2"), weights=False) == generation


def test_a_rehearsal_stores_nothing_and_says_the_generation_that_would_be(world: World, cluster: Cluster) -> None:
    rollout = start(cluster)
    world.wait_observed()
    before = world.http_route()

    assert write(cluster, replace(rollout, step=1), rehearse=True) == before["metadata"]["generation"] + 1
    assert world.http_route() == before


def test_status_and_other_annotations_do_not_refuse_a_step(world: World, cluster: Cluster, robot: Robot) -> None:
    rollout = start(cluster)
    copy = cluster.read(world.namespace, ROUTE)
    robot.answer = Answer(refuses="not today")
    world.set_annotations({"team": "llm"})

    cluster.write(copy, replace(rollout, step=1), weights=True)

    assert world.weights() == [(STABLE, 75), (CANARY, 25)]


def test_an_edit_of_the_spec_refuses_a_step_but_not_a_roll_back(world: World, cluster: Cluster) -> None:
    rollout = start(cluster)
    copy = cluster.read(world.namespace, ROUTE)
    world.kube.merge(world.route_path(), {"spec": {"hostnames": ["llm.example.com"]}})

    with pytest.raises(RaceError, match=f"HTTPRoute `{world.namespace}/{ROUTE}` changed since it was read."):
        cluster.write(copy, replace(rollout, step=1), weights=True)
    cluster.write(copy, back(rollout), weights=True)

    assert world.weights() == [(STABLE, 1)]


ANY_TEXT = {
    "angle brackets": "<b>",
    "an ampersand": "a & b",
    "letters of Latin": "é ß \x7f \x85",
    "a dash and an emoji": "— 🚀",
    "line separators": "\u2028 \u2029",
    "quotes and slashes": '"\\ / \\u003c \\\\u003c',
    "white space": "\t\n\r",
    "other control characters": "\x01 \x1f",
    "nothing": "",
    "JSON as jq prints it": '{\n  "v": 1,\n  "why": "p99 > 3 s & rising — 🚀"\n}\n',
    "much": "<é&🚀" * 4000,
}


@pytest.mark.parametrize("text", ANY_TEXT.values(), ids=ANY_TEXT)
@pytest.mark.parametrize("phase", [Phase.PROGRESSING, Phase.ROLLED_BACK])
def test_whatever_stands_in_the_annotation_its_test_passes(
    world: World, cluster: Cluster, phase: Phase, text: str
) -> None:
    rollout = start(cluster)
    world.set_annotations({ANNOTATION: text})

    assert write(cluster, replace(rollout, phase=phase, step=0)) > 0


def test_matches_of_any_text_can_be_tested(world: World, cluster: Cluster) -> None:
    rule = world.http_route()["spec"]["rules"][0]
    header = {"type": "RegularExpression", "name": "x-team", "value": "<é & 🚀>|\u2028"}
    world.set_rules([{**rule, "matches": [{"headers": [header]}]}, {"backendRefs": [{"name": "other", "port": 80}]}])
    rollout = start(cluster)

    cluster.write(cluster.read(world.namespace, ROUTE), replace(rollout, step=1), weights=True, guard=Guard.TOUCHED)

    assert cluster.observe(cluster.read(world.namespace, ROUTE), rollout) == (Pair(75, 25),)


def test_a_roll_back_may_leave_out_the_test_of_the_annotation_but_a_step_may_not(
    world: World, cluster: Cluster
) -> None:
    rollout = start(cluster)
    copy = cluster.read(world.namespace, ROUTE)
    world.set_annotations({ANNOTATION: "rival"})

    with pytest.raises(RaceError):
        cluster.write(copy, replace(rollout, step=1), weights=True, guard=Guard.TOUCHED)
    cluster.write(copy, back(rollout), weights=True, guard=Guard.TOUCHED)

    assert world.weights() == [(STABLE, 1)]


@pytest.mark.parametrize("phase", [Phase.PROGRESSING, Phase.ROLLED_BACK])
def test_another_writer_of_the_annotation_refuses_any_write(world: World, cluster: Cluster, phase: Phase) -> None:
    rollout = start(cluster)
    copy = cluster.read(world.namespace, ROUTE)
    world.set_annotations({ANNOTATION: "rival"})

    with pytest.raises(RaceError):
        cluster.write(copy, replace(rollout, phase=phase), weights=True)


def test_annotations_that_vanish_and_annotations_that_appear_refuse_a_write(world: World, cluster: Cluster) -> None:
    bare = cluster.read(world.namespace, ROUTE)
    rollout = start(cluster)
    copy = cluster.read(world.namespace, ROUTE)

    with pytest.raises(RaceError):
        cluster.write(bare, back(rollout), weights=True)
    world.kube.merge(world.route_path(), {"metadata": {"annotations": None}})
    with pytest.raises(RaceError):
        cluster.write(copy, back(rollout), weights=True)
    assert write(cluster, back(rollout)) > 0


def test_a_deleted_route_is_named(world: World, cluster: Cluster) -> None:
    rollout = start(cluster)
    copy = cluster.read(world.namespace, ROUTE)
    world.delete_route()

    for call in (lambda: cluster.read(world.namespace, ROUTE), lambda: cluster.write(copy, rollout, weights=True)):
        with pytest.raises(RefusedError) as caught:
            call()
        assert str(caught.value) == f"HTTPRoute `{world.namespace}/{ROUTE}` is not there (404)."


def test_a_schema_refusal_says_why(world: World, cluster: Cluster) -> None:
    rollout = start(cluster)
    odd = replace(rollout, plan=replace(rollout.plan, steps=(101,)))

    with pytest.raises(RefusedError, match=r"spec\.rules\[0\]\.backendRefs\[0\]\.weight") as caught:
        write(cluster, odd)
    assert not isinstance(caught.value, RaceError)


def test_a_resource_that_is_not_served_is_told_from_an_object_that_is_not_there(api: ApiClient) -> None:
    unknown = client.Resource("/apis/gateway.networking.k8s.io/v9", "httproutes", "HTTPRoute")

    with pytest.raises(RefusedError, match="does not serve what was asked for"):
        client.get(api, unknown, "default", "llm-route")


def test_missing_rules_are_named_and_the_others_written(world: World, cluster: Cluster) -> None:
    world.set_rules([rule([pool_ref(STABLE)], "/a"), rule([pool_ref(STABLE)], "/b")])
    rollout = start(cluster)
    world.set_rules([rule([pool_ref(STABLE, 90), pool_ref(CANARY, 10)], "/b")])
    copy = cluster.read(world.namespace, ROUTE)

    written = cluster.write(copy, back(rollout), weights=True)

    assert written == Written(generation=written.generation, missing=("rule 1",))
    assert world.weights() == [(STABLE, 1)]


def test_the_gateway_accepts_the_generation_that_was_written(world: World, cluster: Cluster) -> None:
    rollout = start(cluster)
    world.wait_observed()
    copy = cluster.read(world.namespace, rollout.route)

    says = [cluster.gateway_word(copy, rollout, copy.generation + ahead).says(()) for ahead in (0, 1)]
    assert says == [GatewaySays.ACCEPTED, GatewaySays.NOTHING]


def test_the_gateway_refuses_with_its_own_words(world: World, cluster: Cluster, robot: Robot) -> None:
    robot.answer = Answer(refuses="too many pools")
    rollout = start(cluster)
    world.wait_observed()
    copy = cluster.read(world.namespace, ROUTE)

    assert cluster.gateway_word(copy, rollout, copy.generation).why((), Bars.ROUTE) == (
        f"Gateway `{world.namespace}/inference-gateway`: Accepted is False (UnsupportedValue): too many pools"
    )


def test_a_route_of_another_programs_version_is_read_without_a_record(world: World, api: ApiClient) -> None:
    world.set_annotations({ANNOTATION: '{"v": 99}'})
    copy = httproute.read(api, world.namespace, ROUTE, NO_KEYS)

    assert (copy.annotation, copy.note) == ('{"v": 99}', None)


def test_any_reason_can_be_written_and_guarded_again(world: World, cluster: Cluster) -> None:
    reason = '<b>&"é—🚀\\\x7f\u2028' * 400
    rollout = start(cluster, reason=reason)

    write(cluster, replace(rollout, step=1, decision="d-2"))
    write(cluster, back(rollout))

    note = cluster.read(world.namespace, ROUTE).note
    assert note is not None
    assert note.rollout.reason == reason
