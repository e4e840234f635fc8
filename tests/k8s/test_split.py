"""A patch makes the route what the record wants, under its guards, and changes nothing else."""

import json
from dataclasses import replace
from typing import Any

import pytest

from bot.domain.errors import RouteError
from bot.domain.rollout import Pair, Phase
from bot.engine.encoding import annotation, read_rollout
from bot.engine.route_port import Guard
from k8s.document import ANNOTATION, annotation_of
from k8s.lost_rules import observe
from tests.k8s.build import (
    CANARY,
    GROUP,
    NEW,
    OLD,
    STABLE,
    Json,
    PatchRefusedError,
    a_moving,
    a_ref,
    a_rollout,
    a_route,
    a_rule,
    a_service,
    patch,
    serve,
    spec_of,
    weights_of,
)

NOTE = "/metadata/annotations/rolloutbot.dev~1rollout"
GUIDE = a_route(a_rule(a_ref(OLD)))
BACK: dict[str, Any] = {"phase": Phase.ROLLED_BACK, "decision": "d-9"}


def apply(document: Json, **fields: Any) -> Json:
    """Write a record of the guide's rollout, changed in ``fields``, to a document."""
    rollout = replace(a_rollout(GUIDE), **fields)
    return serve(document, patch(document, rollout, weights=True).operations)


def test_the_first_step_is_guarded_and_adds_the_canary_with_both_weights() -> None:
    rollout = a_rollout(GUIDE)

    assert patch(GUIDE, rollout, weights=True).operations == (
        {"op": "test", "path": "/metadata/uid", "value": "uid-llm-route"},
        {"op": "test", "path": "/metadata/generation", "value": 1},
        {"op": "test", "path": "/metadata/annotations", "value": None},
        {"op": "add", "path": "/spec/rules/0/backendRefs/0/weight", "value": 90},
        {
            "op": "add",
            "path": "/spec/rules/0/backendRefs/-",
            "value": {"group": GROUP, "kind": "InferencePool", "name": NEW, "weight": 10},
        },
        {"op": "add", "path": "/metadata/annotations", "value": {ANNOTATION: annotation(rollout)}},
    )


def test_a_later_step_tests_the_exact_text_of_the_annotation() -> None:
    now = apply(GUIDE)
    rollout = replace(a_rollout(GUIDE), step=1, decision="d-2")

    assert patch(now, rollout, weights=True).operations == (
        {"op": "test", "path": "/metadata/uid", "value": "uid-llm-route"},
        {"op": "test", "path": "/metadata/generation", "value": 2},
        {"op": "test", "path": NOTE, "value": annotation(a_rollout(GUIDE))},
        {"op": "add", "path": "/spec/rules/0/backendRefs/0/weight", "value": 75},
        {"op": "add", "path": "/spec/rules/0/backendRefs/1/weight", "value": 25},
        {"op": "add", "path": NOTE, "value": annotation(rollout)},
    )


def test_an_annotation_that_is_absent_among_others_is_tested_as_null() -> None:
    document = a_route(a_rule(a_ref(OLD)), annotations={"team": "llm"})

    operations = patch(document, a_rollout(document), weights=False).operations

    assert operations[2] == {"op": "test", "path": NOTE, "value": None}
    assert serve(document, operations)["metadata"]["annotations"].keys() == {"team", ANNOTATION}


def test_a_roll_back_tests_what_it_touches_and_not_the_generation() -> None:
    now = apply(GUIDE)
    rollout = replace(a_rollout(GUIDE), **BACK)
    path = "/spec/rules/0/backendRefs"

    assert patch(now, rollout, weights=True).operations == (
        {"op": "test", "path": "/metadata/uid", "value": "uid-llm-route"},
        {"op": "test", "path": NOTE, "value": annotation(a_rollout(GUIDE))},
        {"op": "test", "path": f"{path}/0/group", "value": GROUP},
        {"op": "test", "path": f"{path}/0/kind", "value": "InferencePool"},
        {"op": "test", "path": f"{path}/0/namespace", "value": None},
        {"op": "test", "path": f"{path}/0/name", "value": OLD},
        {"op": "test", "path": f"{path}/1/group", "value": GROUP},
        {"op": "test", "path": f"{path}/1/kind", "value": "InferencePool"},
        {"op": "test", "path": f"{path}/1/namespace", "value": None},
        {"op": "test", "path": f"{path}/1/name", "value": NEW},
        {"op": "add", "path": f"{path}/0/weight", "value": 1},
        {"op": "remove", "path": f"{path}/1"},
        {"op": "add", "path": NOTE, "value": annotation(rollout)},
    )


def test_a_roll_back_writes_both_weights_where_the_copy_shows_them_as_wanted() -> None:
    document = a_route(a_rule(a_ref(OLD, 100), a_ref(NEW, 0)))
    operations = patch(document, a_rollout(document, phase=Phase.ROLLED_BACK), weights=True).operations

    assert [operation for operation in operations if operation["path"].endswith("/weight")] == [
        {"op": "add", "path": "/spec/rules/0/backendRefs/0/weight", "value": 100},
        {"op": "add", "path": "/spec/rules/0/backendRefs/1/weight", "value": 0},
    ]


@pytest.mark.parametrize(
    ("phase", "guards"),
    [
        (Phase.PAUSED, ["/metadata/uid", "/metadata/generation", NOTE]),
        (Phase.ENDED, ["/metadata/uid", "/metadata/generation", NOTE]),
        (Phase.ROLLED_BACK, ["/metadata/uid", NOTE]),
        (Phase.REFUSED, ["/metadata/uid", NOTE]),
    ],
)
def test_the_annotation_alone_is_guarded_too(phase: Phase, guards: list[str]) -> None:
    now = apply(GUIDE)
    operations = patch(now, a_rollout(GUIDE, phase=phase), weights=False).operations

    assert [operation["path"] for operation in operations] == [*guards, NOTE]
    assert spec_of(serve(now, operations)) == spec_of(now)


@pytest.mark.parametrize(
    ("refs", "phase", "step", "after"),
    [
        ([a_ref(OLD)], Phase.STARTING, 0, [(OLD, 90), (NEW, 10)]),
        ([a_ref(OLD)], Phase.AWAITING_APPROVAL, -1, [(OLD, 1)]),
        ([a_ref(OLD, 100), a_ref(NEW, 0)], Phase.PROGRESSING, 0, [(OLD, 90), (NEW, 10)]),
        ([a_ref(NEW, 0), a_ref(OLD, 100)], Phase.PROGRESSING, 1, [(NEW, 25), (OLD, 75)]),
        ([a_ref(OLD, None)], Phase.PROGRESSING, 2, [(OLD, 50), (NEW, 50)]),
        ([a_ref(OLD)], Phase.PROMOTED, 3, [(OLD, 0), (NEW, 100)]),
        ([a_ref(OLD)], Phase.FINISHED, 3, [(NEW, 100)]),
        ([a_ref(NEW, 5), a_ref(OLD, 95)], Phase.FINISHED, 3, [(NEW, 100)]),
        ([a_ref(NEW, 5), a_ref(OLD, 95)], Phase.ROLLED_BACK, 1, [(NEW, 0), (OLD, 95)]),
        ([a_ref(OLD, 7)], Phase.REFUSED, 0, [(OLD, 7)]),
        ([a_service("other", 0), a_ref(OLD, 7)], Phase.PROGRESSING, 0, [("other", 0), (OLD, 90), (NEW, 10)]),
    ],
)
def test_the_refs_of_a_rule_after_a_write(refs: list[Json], phase: Phase, step: int, after: list[Any]) -> None:
    document = a_route(a_rule(*refs))
    rollout = a_rollout(document, phase=phase, step=step)

    assert weights_of(serve(document, patch(document, rollout, weights=True).operations)) == after


@pytest.mark.parametrize(
    "refs",
    [
        [a_ref(OLD)],
        [a_ref(OLD, 100), a_service("shadow", 0)],
        [a_service("shadow", 0), a_ref(OLD, 3), a_service("other", 0)],
        [a_ref(OLD, 1, filters=[{"type": "RequestHeaderModifier"}], namespace="default")],
        [a_ref(NEW, 0), a_ref(OLD, 100)],
        [a_ref(OLD, 100), a_ref(NEW, 0)],
    ],
)
def test_a_roll_back_from_any_weight_and_from_finished_restores_the_spec(refs: list[Json]) -> None:
    before = a_route(a_rule(*refs), a_rule(a_ref(OLD), path="/v2"))
    started = a_rollout(before, a_moving(before, 0), a_moving(before, 1))
    for last in ({"step": 0}, {"step": 3, "phase": Phase.PROMOTED}, {"step": 3, "phase": Phase.FINISHED}):
        now = serve(before, patch(before, started, weights=True).operations)
        now = serve(now, patch(now, replace(started, decision="d-2", **last), weights=True).operations)
        now = serve(now, patch(now, replace(started, **BACK), weights=True).operations)
        assert spec_of(now) == spec_of(before)


def test_the_canary_copies_namespace_and_filters_of_the_stable_ref() -> None:
    ref = a_ref(OLD, 1, namespace="default", filters=[{"type": "RequestHeaderModifier"}], port=8000)
    document = a_route(a_rule(ref))

    after = serve(document, patch(document, a_rollout(document), weights=True).operations)

    assert spec_of(after)["rules"][0]["backendRefs"] == [{**ref, "weight": 90}, {**ref, "name": NEW, "weight": 10}]


def test_refs_that_only_look_like_ours_are_left_alone() -> None:
    lookalikes = [
        a_ref(OLD, 0, namespace="other"),
        a_ref(OLD + "-new-er", 0),
        {**a_ref(NEW, 0), "group": "inference.networking.x-k8s.io"},
        a_service(OLD, 0),
    ]
    document = a_route(a_rule(*lookalikes, a_ref(OLD)))
    rollout = a_rollout(document, replace(a_moving(document), stable_index=4, canary_before=None))

    after = serve(document, patch(document, rollout, weights=True).operations)

    assert spec_of(after)["rules"][0]["backendRefs"] == [*lookalikes, a_ref(OLD, 90), a_ref(NEW, 10)]
    assert observe(after, rollout) == (Pair(90, 10),)


def test_all_rules_of_the_rollout_move_in_one_patch_and_no_other() -> None:
    other = a_rule(a_ref(OLD), path="/not-ours", name="kept")
    document = a_route(a_rule(a_ref(OLD), name="chat"), other, a_rule(a_ref(OLD, 5), path="/v2"))
    rollout = a_rollout(document, a_moving(document, 0), a_moving(document, 2), step=1)

    after = serve(document, patch(document, rollout, weights=True).operations)

    assert observe(after, rollout) == (Pair(75, 25), Pair(75, 25))
    assert spec_of(after)["rules"][1] == other


def test_rules_are_found_wherever_they_stand() -> None:
    chat, plain = a_rule(a_ref(OLD), name="chat"), a_rule(a_ref(OLD, 5), path="/v2")
    before = a_route(chat, plain)
    rollout = a_rollout(before, a_moving(before, 0), a_moving(before, 1))
    now = a_route(a_rule(a_service("docs"), path="/docs"), plain, chat)

    assert observe(now, rollout) == (Pair(1, None), Pair(5, None))


def test_a_rule_is_known_by_its_matches_in_any_order_and_by_a_name_it_got_later() -> None:
    matches = [{"path": {"type": "PathPrefix", "value": "/a"}}, {"path": {"value": "/b", "type": "Exact"}}]
    before = a_route({"backendRefs": [a_ref(OLD, 5)], "matches": matches})
    rollout = a_rollout(before)
    now = a_route(a_rule(a_ref(OLD, 9)), {"name": "later", "backendRefs": [a_ref(OLD, 6)], "matches": matches[::-1]})

    assert observe(now, rollout) == (Pair(6, None),)


def test_rules_with_the_same_matches_keep_their_order() -> None:
    before = a_route(a_rule(a_ref(OLD, 5)), a_rule(a_ref(OLD, 6)))
    rollout = a_rollout(before, a_moving(before, 0), a_moving(before, 1))
    now = a_route(a_rule(a_service("docs")), a_rule(a_ref(OLD, 5)), a_rule(a_ref(OLD, 6)))

    assert observe(now, rollout) == (Pair(5, None), Pair(6, None))


def test_the_brake_works_after_somebody_edited_the_matches() -> None:
    now = apply(GUIDE)
    now["spec"]["rules"][0]["matches"] = [{"path": {"type": "PathPrefix", "value": "/v1"}}]
    edit = patch(now, replace(a_rollout(GUIDE), **BACK), weights=True)

    assert edit.missing == ()
    assert weights_of(serve(now, edit.operations)) == [(OLD, 1)]


def test_a_roll_back_leaves_out_a_rule_that_is_gone_and_names_it() -> None:
    before = a_route(a_rule(a_ref(OLD), name="chat"), a_rule(a_ref(OLD), path="/v2"), a_rule(a_ref(OLD), path="/v3"))
    started = a_rollout(before, *(a_moving(before, index) for index in range(3)))
    now = serve(before, patch(before, started, weights=True).operations)
    now["spec"]["rules"] = [a_rule(a_service("x"), path="/v2"), now["spec"]["rules"][2]]
    edit = patch(now, replace(started, **BACK), weights=True)

    assert edit.missing == ("rule `chat`", "rule 2")
    assert spec_of(serve(now, edit.operations))["rules"] == [
        a_rule(a_service("x"), path="/v2"),
        a_rule(a_ref(OLD), path="/v3"),
    ]


def test_a_roll_back_puts_back_a_stable_ref_that_somebody_removed() -> None:
    now = apply(GUIDE)
    now["spec"]["rules"][0]["backendRefs"].pop(0)

    assert spec_of(apply(now, **BACK)) == spec_of(GUIDE)


def test_a_roll_back_takes_the_traffic_from_a_canary_that_somebody_added_twice() -> None:
    now = apply(GUIDE)
    now["spec"]["rules"][0]["backendRefs"].append(a_ref(NEW, 40))

    assert weights_of(apply(now, **BACK)) == [(OLD, 1), (NEW, 0)]


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ([a_rule(a_ref(OLD), path="/v9")], "Rule 1 of HTTPRoute `default/llm-route` is gone,"),
        ([a_rule(a_service("x"))], "or no longer holds the rollout's pools."),
        ([a_rule(a_ref(NEW))], "no longer holds the stable pool `llama`."),
        ([a_rule(a_ref(OLD), a_ref(NEW), a_ref(NEW))], "holds one of the rollout's pools twice."),
    ],
)
def test_a_step_does_not_write_a_rule_that_is_not_as_it_was(rules: list[Json], message: str) -> None:
    with pytest.raises(RouteError, match=message.replace(".", r"\.")):
        patch(a_route(*rules), a_rollout(GUIDE), weights=True)


@pytest.mark.parametrize("phase", [Phase.PROGRESSING, Phase.ROLLED_BACK])
def test_a_route_that_was_created_again_is_never_written(phase: Phase) -> None:
    anew = a_route(a_rule(a_ref(OLD)), uid="another")

    with pytest.raises(RouteError, match="was deleted and created again"):
        patch(anew, a_rollout(GUIDE, phase=phase), weights=True)


def test_a_step_is_refused_after_any_edit_of_the_spec_and_a_roll_back_is_not() -> None:
    now = apply(GUIDE)
    step = patch(now, replace(a_rollout(GUIDE), step=1), weights=True)
    back = patch(now, replace(a_rollout(GUIDE), **BACK), weights=True)
    edited = serve(now, [{"op": "add", "path": "/spec/hostnames", "value": ["llm.example.com"]}])

    with pytest.raises(PatchRefusedError, match="generation"):
        serve(edited, step.operations)
    assert weights_of(serve(edited, back.operations)) == [(OLD, 1)]


@pytest.mark.parametrize("phase", [Phase.PROGRESSING, Phase.ROLLED_BACK])
def test_a_write_is_refused_after_another_writer_of_the_annotation(phase: Phase) -> None:
    now = apply(GUIDE)
    write = patch(now, a_rollout(GUIDE, phase=phase), weights=True)
    rival = serve(now, patch(now, a_rollout(GUIDE, decision="rival"), weights=False).operations)

    with pytest.raises(PatchRefusedError, match="rolloutbot"):
        serve(rival, write.operations)


def test_a_roll_back_is_refused_where_its_refs_were_moved() -> None:
    now = apply(GUIDE)
    write = patch(now, replace(a_rollout(GUIDE), **BACK), weights=True)
    now["spec"]["rules"][0]["backendRefs"].reverse()

    with pytest.raises(PatchRefusedError, match="backendRefs/0/name"):
        serve(now, write.operations)
    assert weights_of(apply(now, **BACK)) == [(OLD, 1)]


def test_a_roll_back_is_refused_where_a_ref_that_it_shifts_was_changed() -> None:
    now = apply(GUIDE)
    now["spec"]["rules"][0]["backendRefs"].append(a_service("docs", 0))
    write = patch(now, replace(a_rollout(GUIDE), **BACK), weights=True)
    now["spec"]["rules"][0]["backendRefs"][2] = a_service("other", 0)

    with pytest.raises(PatchRefusedError, match="backendRefs/2/name"):
        serve(now, write.operations)
    assert weights_of(apply(now, **BACK)) == [(OLD, 1), ("other", 0)]


def test_a_roll_back_from_finished_finds_a_place_where_other_refs_are_gone() -> None:
    before = a_route(a_rule(a_service("a", 0), a_service("b", 0), a_ref(OLD)))
    rollout = a_rollout(before, phase=Phase.FINISHED, step=3)
    now = serve(before, patch(before, rollout, weights=True).operations)
    now["spec"]["rules"][0]["backendRefs"] = [a_ref(NEW, 100)]

    after = serve(now, patch(now, replace(rollout, **BACK), weights=True).operations)

    assert spec_of(after)["rules"][0]["backendRefs"] == [a_ref(OLD)]


def test_the_annotation_reads_back_as_the_record_and_shows_the_weights_first() -> None:
    rollout = a_rollout(GUIDE)
    text = annotation_of(apply(GUIDE))

    assert text is not None
    assert read_rollout(text) == rollout
    assert list(json.loads(text))[:7] == ["v", "id", "phase", "revision", "decision", "route_uid", "weights"]
    assert json.loads(text)["weights"] == [[90, 10]]


def test_observe_tells_gone_rules_from_gone_refs() -> None:
    rollout = a_rollout(GUIDE)

    assert observe(a_route(a_rule(a_ref(OLD), a_ref(NEW, 4))), rollout) == (Pair(1, 4),)
    assert observe(a_route(a_rule(a_ref(NEW, 4), a_ref(NEW, 3))), rollout) == (Pair(None, 7),)
    assert observe(a_route(a_rule(a_service("x"))), rollout) == (Pair(None, None),)
    assert observe(a_route(a_rule(a_ref(OLD), path="/v2")), rollout) == (None,)
    assert (rollout.stable, rollout.canary) == (STABLE, CANARY)


# --- a step against somebody who edits other fields without a pause


def at_10() -> Json:
    """Return the guide's route as the first step leaves it."""
    return apply(GUIDE)


def contested(document: Json) -> tuple[Json, ...]:
    """Return the operations of the step to 25 % under the guard of what it touches."""
    rollout = replace(a_rollout(GUIDE), step=1, decision="d-2", revision=2)
    return patch(document, rollout, weights=True, guard=Guard.TOUCHED).operations


def test_a_contested_step_tests_what_it_touches_and_not_the_generation() -> None:
    tests = [each for each in contested(at_10()) if each["op"] == "test"]
    refs = "/spec/rules/0/backendRefs"
    assert [(each["path"], each["value"]) for each in tests] == [
        ("/metadata/uid", "uid-llm-route"),
        ("/spec/rules/0/name", None),
        (f"{refs}/0/group", GROUP),
        (f"{refs}/0/kind", "InferencePool"),
        (f"{refs}/0/namespace", None),
        (f"{refs}/0/name", OLD),
        (f"{refs}/0/weight", 90),
        (f"{refs}/1/group", GROUP),
        (f"{refs}/1/kind", "InferencePool"),
        (f"{refs}/1/namespace", None),
        (f"{refs}/1/name", NEW),
        (f"{refs}/1/weight", 10),
        (NOTE, annotation(a_rollout(GUIDE))),
    ]


def edited(document: Json, generation: int = 9, **spec: Any) -> Json:
    """Return a route that somebody else has edited meanwhile."""
    meta = {**document["metadata"], "generation": generation}
    return {**document, "metadata": meta, "spec": {**document["spec"], **spec}}


def test_a_contested_step_lands_over_edits_of_other_fields() -> None:
    now = edited(at_10(), hostnames=["a.example.com"])
    assert weights_of(serve(now, contested(at_10()))) == [(OLD, 75), (NEW, 25)]


@pytest.mark.parametrize(
    "refs",
    [
        [a_ref(OLD, 60), a_ref(NEW, 40)],
        [a_ref(OLD, 90), a_ref(NEW, 11)],
        [a_ref(NEW, 10), a_ref(OLD, 90)],
        [a_ref("third", 1), a_ref(OLD, 90), a_ref(NEW, 10)],
        [a_ref(OLD, 90)],
    ],
)
def test_a_contested_step_is_refused_where_our_refs_have_moved(refs: list[Json]) -> None:
    with pytest.raises(PatchRefusedError):
        serve(edited(at_10(), rules=[a_rule(*refs)]), contested(at_10()))


def test_a_contested_step_of_one_rule_among_others_also_tests_its_matches() -> None:
    route = a_route(a_rule(a_ref(OLD), path="/a"), a_rule(a_ref(OLD), path="/b"))
    rollout = a_rollout(route, a_moving(route, 0))
    first = serve(route, patch(route, rollout, weights=True).operations)
    step = patch(first, replace(rollout, step=1), weights=True, guard=Guard.TOUCHED).operations
    swapped = edited(first, rules=[*reversed(first["spec"]["rules"])])
    with pytest.raises(PatchRefusedError, match="/spec/rules/0/matches"):
        serve(swapped, step)


def test_a_first_step_is_never_contested_because_its_canary_is_not_there() -> None:
    tests = patch(GUIDE, a_rollout(GUIDE), weights=True, guard=Guard.TOUCHED).operations
    assert tests == patch(GUIDE, a_rollout(GUIDE), weights=True).operations
