"""Whatever the route looks like and whatever happened: nobody else's bytes change, and a roll back undoes it all."""

import copy
import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.rollout import Phase, Rollout, Rule, wanted
from k8s.document import ANNOTATION, Document, annotation_of
from k8s.lost_rules import observe
from tests.k8s.build import (
    NEW,
    OLD,
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
)

FILTERS = st.lists(st.fixed_dictionaries({"type": st.sampled_from(["URLRewrite", "RequestMirror"])}), max_size=2)
STRANGERS = st.lists(
    st.sampled_from(
        [
            a_service("docs", 0),
            a_service(OLD, 0),
            a_ref(OLD + "-newer", 0),
            a_ref(NEW, 0, namespace="other"),
            {**a_ref(OLD, 0), "group": "inference.networking.x-k8s.io"},
        ]
    ),
    max_size=4,
    unique_by=lambda ref: json.dumps(ref, sort_keys=True),
)


@st.composite
def our_rules(draw: st.DrawFn, number: int) -> Json:
    """A rule that holds the stable pool, at times the canary, and other people's refs at any place."""
    refs = draw(STRANGERS)
    extra = {"filters": filters} if (filters := draw(FILTERS)) else {}
    refs.insert(draw(st.integers(0, len(refs))), a_ref(OLD, draw(st.integers(1, 1_000_000)), **extra))
    if draw(st.booleans()):
        refs.insert(draw(st.integers(0, len(refs))), a_ref(NEW, draw(st.integers(0, 9))))
    fields: Json = {"timeouts": {"request": "300s"}} if draw(st.booleans()) else {}
    if draw(st.booleans()):
        fields["name"] = f"rule-{number}"
    return a_rule(*refs, path=f"/{draw(st.integers(0, 2))}", **fields)


@st.composite
def worlds(draw: st.DrawFn) -> tuple[Json, Rollout]:
    """A route, and a rollout over all its rules that hold the stable pool."""
    rules: list[Json] = []
    for number in range(draw(st.integers(1, 4))):
        foreign = a_rule(*draw(STRANGERS), path=f"/{number}", name=f"foreign-{number}")
        rules.append(foreign if draw(st.booleans()) and number else draw(our_rules(number)))
    metadata: Json = {"annotations": {"team": "llm"}} if draw(st.booleans()) else {}
    document = a_route(*rules, **metadata)
    moving = [a_moving(document, i) for i, rule in enumerate(rules) if not rule.get("name", "").startswith("foreign")]
    return document, a_rollout(document, *moving)


RECORDS = st.lists(
    st.one_of(
        st.tuples(st.just(Phase.PROGRESSING), st.integers(0, 3)),
        st.sampled_from([(Phase.AWAITING_APPROVAL, -1), (Phase.PAUSED, 1), (Phase.PROMOTED, 3), (Phase.FINISHED, 3)]),
    ),
    max_size=5,
)


def play(document: Json, rollout: Rollout, records: list[tuple[Phase, int]]) -> Json:
    """Write one record after another; a finished rollout has nothing but a roll back after it."""
    for number, (phase, step) in enumerate(records):
        record = replace(rollout, phase=phase, step=step, decision=f"d-{number}")
        document = serve(document, patch(document, record, weights=True).operations)
        if phase is Phase.FINISHED:
            break
    return document


def without_ours(document: Json, rules: tuple[Rule, ...]) -> Json:
    """Take out what may change: our refs in our rules, our annotation, the generation."""
    rest = copy.deepcopy(document)
    rest["metadata"].pop("generation")
    annotations = rest["metadata"].pop("annotations", {})
    rest["metadata"]["annotations"] = {key: value for key, value in annotations.items() if key != ANNOTATION}
    for rule in rules:
        refs = rest["spec"]["rules"][rule.index]["backendRefs"]
        rest["spec"]["rules"][rule.index]["backendRefs"] = [ref for ref in refs if not is_ours(ref)]
    return rest


def is_ours(ref: Document) -> bool:
    ours = [a_ref(OLD, None), a_ref(NEW, None)]
    return {key: value for key, value in ref.items() if key not in ("weight", "filters")} in ours


@given(worlds(), RECORDS)
def test_nobody_elses_bytes_change_and_every_pair_is_as_wanted(
    world: tuple[Json, Rollout], records: list[tuple[Phase, int]]
) -> None:
    before, rollout = world
    for phase, step in [*records, (Phase.PROGRESSING, 2), (Phase.FINISHED, 3)]:
        record = replace(rollout, phase=phase, step=step)
        after = play(before, rollout, [*[each for each in records if each[0] is not Phase.FINISHED], (phase, step)])

        assert json.dumps(without_ours(after, rollout.rules)) == json.dumps(without_ours(before, rollout.rules))
        assert observe(after, record) == wanted(record)


@given(worlds(), RECORDS)
def test_none_of_our_rules_ever_has_a_sum_of_zero(
    world: tuple[Json, Rollout], records: list[tuple[Phase, int]]
) -> None:
    before, rollout = world
    after = play(before, rollout, records)
    back = patch(after, replace(rollout, phase=Phase.ROLLED_BACK, decision="back"), weights=True)
    for document in (after, serve(after, back.operations)):
        for rule in rollout.rules:
            assert sum(ref["weight"] for ref in document["spec"]["rules"][rule.index]["backendRefs"]) > 0


@given(worlds(), RECORDS)
def test_a_roll_back_after_any_steps_restores_the_spec(
    world: tuple[Json, Rollout], records: list[tuple[Phase, int]]
) -> None:
    before, rollout = world
    after = play(before, rollout, records)
    back = patch(after, replace(rollout, phase=Phase.ROLLED_BACK, decision="back"), weights=True)

    expected = copy.deepcopy(before)
    for rule in rollout.rules:  # a canary that was there before goes to 0, not to what it had
        for ref in expected["spec"]["rules"][rule.index]["backendRefs"]:
            if {**ref, "weight": 0} == a_ref(NEW, 0):
                ref["weight"] = 0
    assert json.dumps(spec_of(serve(after, back.operations))) == json.dumps(spec_of(expected))
    assert back.missing == ()


@given(worlds(), RECORDS, st.data())
def test_a_step_is_refused_after_any_change_of_the_spec(
    world: tuple[Json, Rollout], records: list[tuple[Phase, int]], data: st.DataObject
) -> None:
    before, rollout = world
    now = play(before, rollout, [record for record in records if record[0] is not Phase.FINISHED])
    step = patch(now, replace(rollout, step=1, decision="late"), weights=True).operations
    index = data.draw(st.integers(0, len(spec_of(now)["rules"]) - 1))
    rival: list[Json] = data.draw(
        st.sampled_from(
            [
                [{"op": "remove", "path": f"/spec/rules/{index}"}],
                [{"op": "add", "path": f"/spec/rules/{index}/name", "value": "renamed"}],
                [{"op": "add", "path": f"/spec/rules/{index}/backendRefs/0", "value": a_service("new")}],
                [{"op": "add", "path": "/spec/hostnames", "value": ["llm.example.com"]}],
            ]
        )
    )

    with pytest.raises(PatchRefusedError, match="generation"):
        serve(serve(now, rival), step)


@settings(max_examples=200)
@given(st.text(max_size=300) | st.text(alphabet='<>&é—🚀\x7f\u2028"\\', max_size=3000))
def test_any_reason_is_ascii_in_the_annotation_and_can_be_guarded_again(reason: str) -> None:
    document = a_route(a_rule(a_ref(OLD)))
    rollout = a_rollout(document, reason=reason)
    now = serve(document, patch(document, rollout, weights=True).operations)
    text = annotation_of(now) or ""

    assert text.isascii()
    assert not set("<>&\x7f") & set(text)
    serve(now, patch(now, replace(rollout, step=1), weights=True).operations)
