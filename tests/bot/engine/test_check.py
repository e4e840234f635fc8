"""`check`: what a start would find, on the real API server, and that it changes nothing."""

from dataclasses import replace
from typing import Any

import pytest

from bot.domain.check import Grade, Line, Report
from bot.domain.commands.request import StartWords
from bot.domain.plan import Wishes
from bot.engine.notes import NO_KEYS
from k8s.document import ANNOTATION
from sandbox import objects
from sandbox.breaking import break_world
from sandbox.gateway import Answer
from sandbox.kube import path_of
from sandbox.objects import POOL_API, picker_name, pool_ref, rule
from sandbox.robot import Robot
from tests.builders import ALICE, CANARY, STABLE
from tests.stage import Stage


def check(stage: Stage, **words: Any) -> Report:
    """Check as Alice does, once the gateway has answered."""
    stage.world.wait_observed()
    return look(stage, **words)


def look(stage: Stage, **words: Any) -> Report:
    """Check as Alice does; nothing may be changed by it."""
    before = stage.world.http_route()
    request = stage.request("check", by=ALICE, start=StartWords(weight=0, **words))
    report = stage.engine.answer(request, "/rollout").report
    assert report is not None
    assert stage.world.http_route()["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
    return report


def found(report: Report, grade: Grade) -> list[tuple[str, str]]:
    return [(line.topic, line.text) for line in report.of(grade)]


def stop_twice(stage: Stage) -> None:
    """Have the new pool being deleted, and the route managed by somebody else."""
    pool = path_of(POOL_API, "InferencePool", stage.world.namespace, CANARY)
    stage.world.kube.merge(pool, {"metadata": {"finalizers": ["example.com/hold"]}})
    stage.world.kube.delete(pool)
    break_world(stage.world, "owner")


def test_the_guides_world_passes_every_check(stage: Stage) -> None:
    report, namespace = check(stage), stage.world.namespace
    unheard = f"pod `{CANARY}-0` does not answer `GET /v1/models` at port 8000"
    assert (report.grade, found(report, Grade.PASS)) == (
        Grade.PASS,
        [
            ("Pools", "Both can serve: new 2/2 Ready, old 2/2."),
            ("Pools", f"I could not compare which models the pools serve: {unheard}."),
            ("Gateway", "agentgateway honours weights between InferencePools."),
            ("Gateway", "The gateway accepts the route as it is."),
            ("Owners", f"Nobody else is known to write to HTTPRoute `{namespace}/llm-route`."),
            ("Route", f"`rule 1` of HTTPRoute `{namespace}/llm-route` moves from `{STABLE}`."),
            ("Access", "Installed: Gateway API v1.6.1, Gateway API Inference Extension v1.6.0."),
            ("Access", "You may start it."),
            ("Access", "The API server would take the first write (10 %)."),
        ],
    )


def test_a_yes_to_an_older_generation_is_not_called_an_acceptance(stage: Stage, robot: Robot) -> None:
    stage.world.wait_observed()
    robot.answer = Answer(silent=True)
    stage.world.edit({"spec": {"hostnames": ["chat.example.com"]}})
    stage.clock.forward(minutes=2)
    assert found(look(stage), Grade.WARN) == [
        (
            "Gateway",
            "The gateway does not say whether it accepts the route as it is. Each step waits a minute for its word, "
            "and goes on without it.",
        )
    ]


def test_everything_that_stops_a_start_is_named_at_once(stage: Stage) -> None:
    stop_twice(stage)
    report = check(stage)
    assert [topic for topic, _ in found(report, Grade.STOP)] == ["Pools", "Owners"]
    assert [line.grade for line in report.worst_first()][:3] == [Grade.STOP, Grade.STOP, Grade.PASS]


def test_what_cannot_be_chosen_stops_it_with_a_command_of_its_own(stage: Stage) -> None:
    stage.world.add_route("second", [pool_ref(STABLE)], path="/second")
    assert found(check(stage), Grade.STOP) == [
        (
            "Route",
            f"More than one HTTPRoute fits `{CANARY}`. Say which one:\n`/rollout check {CANARY} route=llm-route`\n"
            f"`/rollout check {CANARY} route=second`",
        )
    ]
    warned = found(check(stage, route="second"), Grade.WARN)
    assert warned == [
        (
            "Route",
            f"HTTPRoute `{stage.world.namespace}/llm-route` also sends to `{STABLE}`, and stays there. Roll it out too "
            "before you delete that pool.",
        )
    ]


def test_many_other_routes_are_one_warning(stage: Stage) -> None:
    for number in range(6):
        stage.world.add_route(f"other-{number}", [pool_ref(STABLE)], path=f"/{number}")
    names = ", ".join(f"`{stage.world.namespace}/other-{number}`" for number in range(5))
    assert found(check(stage, route="llm-route"), Grade.WARN) == [
        (
            "Route",
            f"6 other HTTPRoutes also send to `{STABLE}`, and stay there: {names} and 1 more. Roll them out too before "
            "you delete that pool.",
        )
    ]


def test_a_route_that_is_taken_stops_it(stage: Stage) -> None:
    stage.started(10)
    ((topic, said),) = found(check(stage), Grade.STOP)
    rollout_id = stage.store.entries()[0].rollout.id
    assert (topic, said.split(",")[0]) == ("Access", f"The route already has rollout `{rollout_id}` of `{CANARY}`")


def test_a_route_that_is_taken_stops_it_though_no_rule_of_it_could_move_again(stage: Stage) -> None:
    stage.started(100)
    ((topic, said),) = found(check(stage), Grade.STOP)
    rollout_id = stage.store.entries()[0].rollout.id
    assert (topic, said.split(",")[0]) == ("Route", f"The route already has rollout `{rollout_id}` of `{CANARY}`")


def test_a_route_with_the_note_of_another_bot_stops_it(stage: Stage) -> None:
    first = stage.started(10).rollout
    stage.redis.flushdb()
    stage.world.set_annotations({ANNOTATION: NO_KEYS.write(first)})
    ((topic, said),) = found(check(stage), Grade.STOP)
    where = f"HTTPRoute `{stage.world.namespace}/llm-route` carries the note of rollout `{first.id}`"
    assert (topic, said.split(",")[0]) == ("Access", where)


def test_a_rollout_that_the_store_forgot_stops_it_and_is_not_taken_up_by_it(stage: Stage) -> None:
    first = stage.started(10).rollout
    stage.redis.flushdb()
    ((topic, said),) = found(check(stage), Grade.STOP)
    assert (topic, said.split(",")[0]) == ("Access", f"The route already has rollout `{first.id}` of `{CANARY}`")
    assert stage.store.entries() == []


def test_pools_that_fail_in_another_way_are_a_warning(stage: Stage) -> None:
    path = path_of(POOL_API, "InferencePool", stage.world.namespace, CANARY)
    modes = [(mode, found(check_with(stage, path, mode), Grade.WARN)) for mode in ("FailClose", "FailOpen")]
    acts = f"`{CANARY}` acts as `FailOpen` and `{STABLE}` as `FailClose`"
    said = f"Without its endpoint picker, {acts}. Set the same `failureMode`."
    assert modes == [("FailClose", []), ("FailOpen", [("Pools", said)])]


def check_with(stage: Stage, path: str, mode: str) -> Report:
    stage.world.kube.merge(path, {"spec": {"endpointPickerRef": {"failureMode": mode}}})
    return check(stage)


PINNED = rule([pool_ref(STABLE, 0), pool_ref(CANARY, 100)], "/testers")


def test_a_rule_that_pins_the_new_pool_is_left_alone_and_said(stage: Stage) -> None:
    stage.world.set_rules([PINNED, rule([pool_ref(STABLE, 1)], "/")])
    assert found(check(stage), Grade.WARN) == [("Route", f"`rule 1` sends to `{CANARY}` already and is left alone.")]
    pinned = stage.world.http_route()["spec"]["rules"][0]
    for verbs in (["rollback"], ["advance", "rollback"], ["promote", "finish"]):
        stage.started(10, wishes=Wishes(approve_at=()))
        for verb in verbs:
            stage.say(verb)
            stage.wait_observed()
            stage.pass_time(seconds=1)
            assert stage.world.http_route()["spec"]["rules"][0] == pinned
    assert stage.world.http_route()["spec"]["rules"][1]["backendRefs"] == [pool_ref(CANARY, 100)]


@pytest.mark.parametrize("chosen", ["1", "/pools"])
def test_a_rule_that_cannot_move_does_not_block_the_others_when_people_choose(stage: Stage, chosen: str) -> None:
    service = {"kind": "Service", "name": picker_name(STABLE), "port": 9002, "weight": 50}
    shared = {"backendRefs": [pool_ref(STABLE, 50), service], "matches": objects.rule([], "/shared")["matches"]}
    stage.world.set_rules([rule([pool_ref(STABLE, 1)], "/pools"), shared])
    ((_, said),) = found(check(stage), Grade.STOP)
    assert said.endswith(f"Or move the others: `/rollout check {CANARY} rule=1`.")
    assert [topic for topic, _ in found(check(stage, rule=chosen), Grade.STOP)] == []
    stage.started(10, rule=chosen)
    rules = stage.world.http_route()["spec"]["rules"]
    assert [ref["weight"] for each in rules for ref in each["backendRefs"]] == [90, 10, 50, 50]


def test_what_is_mirrored_is_said_before_the_first_write(stage: Stage) -> None:
    target = {"group": "inference.networking.k8s.io", "kind": "InferencePool", "name": CANARY}
    mirror = {"type": "RequestMirror", "requestMirror": {"backendRef": target, "percent": 10}}
    stage.world.set_rules([{**rule([pool_ref(STABLE, 1)], "/"), "filters": [mirror]}])
    said = f"`rule 1` also mirrors 10 % of its requests to `{CANARY}`, and will go on with that."
    assert found(check(stage), Grade.WARN) == [("Route", said)]
    rollout_id = stage.started(10).rollout.id
    told = [event.reason for event in stage.store.events(rollout_id, 0) if event.kind.value == "warned"]
    assert told == [said]


def test_a_start_that_several_things_stop_names_them_all(stage: Stage) -> None:
    stop_twice(stage)
    with pytest.raises(Exception, match=r"(?s)2 things stop this start\.\n?.*is being deleted.*Argo Rollouts"):
        stage.start(10)


def test_a_report_is_read_by_its_worst_line() -> None:
    lines = [Line(grade=grade, topic="x", said=grade.value) for grade in (Grade.PASS, Grade.STOP, Grade.WARN)]
    report = Report(tuple(lines))
    assert (report.grade, [line.said for line in report.worst_first()]) == (Grade.STOP, ["stop", "warn", "pass"])
    assert replace(report, lines=()).grade is Grade.PASS
