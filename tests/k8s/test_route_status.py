"""What gateways say of a generation, out of a route's status."""

from typing import Any

import pytest

from bot.engine.gateway_word import Bars, GatewaySays, GatewayWord, ParentWord
from k8s.route_status import ANY_GENERATION, GatewayFacts, Ours, Parent, gateway_word, parent_refs, rules_named
from tests.k8s.build import NEW, Json, a_ref, a_route, a_rule

NOTHING, ACCEPTED, PARTLY, REJECTED = (
    GatewaySays.NOTHING,
    GatewaySays.ACCEPTED,
    GatewaySays.PARTLY,
    GatewaySays.REJECTED,
)
OWN, OTHER = "example.com/own", "other.example.com/controller"
OURS = Ours(rules=frozenset({0}), canary=NEW)


def a_condition(kind: str, status: str = "True", seen: object = 5, message: str = "", reason: str = "Why") -> Json:
    return {"type": kind, "status": status, "reason": reason, "message": message, "observedGeneration": seen}


def good(seen: object = 5) -> list[Json]:
    return [a_condition("Accepted", seen=seen), a_condition("ResolvedRefs", seen=seen)]


def bad(message: str = "", seen: object = 5, reason: str = "Why") -> list[Json]:
    return [a_condition("Accepted", "False", seen, message, reason), a_condition("ResolvedRefs", seen=seen)]


def a_parent(conditions: Any, name: str = "inference-gateway", controller: str = OWN, **ref: Any) -> Json:
    full = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": name, **ref}
    return {"parentRef": full, "controllerName": controller, "conditions": conditions}


def a_word(parents: Any, *, generation: int = 5, controller: str = "", refs: list[Json] | None = None) -> GatewayWord:
    """Return the word about a route at generation 5 with two rules, of which the first is ours."""
    rules = a_rule(a_ref("llama"), name="chat"), a_rule(a_ref("docs"), path="/docs", name="docs")
    route = {**a_route(*rules, generation=5), "status": {"parents": parents}}
    if refs is not None:
        route["spec"]["parentRefs"] = refs
    facts = GatewayFacts(controller=controller)
    return gateway_word(route, generation, OURS, [Parent(ref=ref, facts=facts) for ref in parent_refs(route)])


@pytest.mark.parametrize(
    ("parents", "says"),
    [
        ([], NOTHING),
        (None, NOTHING),
        (["odd"], NOTHING),
        (5, NOTHING),
        ({"parentRef": {}}, NOTHING),
        ([a_parent([{"type": ["Accepted"], "status": "False"}])], NOTHING),
        ([a_parent([{"type": {}, "status": {}}, 5.5, *good()])], ACCEPTED),
        ([{"parentRef": None}], NOTHING),
        ([a_parent([])], NOTHING),
        ([a_parent(None)], NOTHING),
        ([a_parent([None, 7, {}])], NOTHING),
        ([a_parent(good())], ACCEPTED),
        ([a_parent([a_condition("Accepted")])], NOTHING),
        ([a_parent([a_condition("Accepted"), a_condition("ResolvedRefs", "Unknown")])], NOTHING),
        ([a_parent(good(), name="another")], NOTHING),
        ([a_parent(bad(), name="another")], NOTHING),
        ([a_parent(good(), namespace="infra")], NOTHING),
    ],
)
def test_only_a_parent_that_accepts_is_an_acceptance(parents: Any, says: GatewaySays) -> None:
    assert a_word(parents).says(()) is says


@pytest.mark.parametrize("seen", [4, None, 0, -1, "5", 6, 2**63])
def test_a_yes_proves_nothing_of_a_generation_that_it_does_not_name(seen: object) -> None:
    assert a_word([a_parent(good(seen))]).says(()) is NOTHING
    assert a_word([a_parent([a_condition("Accepted"), a_condition("ResolvedRefs", seen=seen)])]).says(()) is NOTHING


@pytest.mark.parametrize(
    ("seen", "says"), [(5, REJECTED), (4, NOTHING), (None, REJECTED), (0, REJECTED), (6, REJECTED)]
)
def test_a_no_counts_unless_it_is_about_an_older_generation(seen: object, says: GatewaySays) -> None:
    assert a_word([a_parent(bad(seen=seen))]).says(()) is says


def test_an_acceptance_of_a_newer_generation_counts_for_an_older_one() -> None:
    assert a_word([a_parent(good(5))], generation=3).says(()) is ACCEPTED


@pytest.mark.parametrize(
    "ref",
    [
        {"namespace": "default"},
        {"group": "", "kind": ""},
        {"group": None, "kind": None, "namespace": None},
        {"sectionName": "http"},
        {"sectionName": "", "port": 0},
        {"port": 80},
    ],
)
def test_a_parent_is_known_with_other_defaults_than_the_routes(ref: Json) -> None:
    assert a_word([a_parent(good(), **ref)]).says(()) is ACCEPTED
    assert a_word([a_parent(bad(), **ref)]).says(()) is REJECTED


def test_a_parent_without_a_section_speaks_for_every_section_that_none_speaks_for() -> None:
    refs = [{"name": "inference-gateway", "sectionName": name} for name in ("https", "old")]
    assert a_word([a_parent(good())], refs=refs).says(()) is ACCEPTED
    both = [a_parent(good()), a_parent(bad("no such host"), sectionName="old")]
    said = "Listener `old` of Gateway `default/inference-gateway`: Accepted is False (Why): no such host"
    assert [(each.said, each.bars) for each in a_word(both, refs=refs).objections] == [(said, Bars.ROUTE)]


@pytest.mark.parametrize(
    ("conditions", "said"),
    [
        (bad("no\n such  listener"), "Accepted is False (Why): no such listener"),
        (bad("at https://x.y/?t=1 with Bearer abcdefgh"), "Accepted is False (Why): at … with …"),
        (
            [a_condition("Accepted"), a_condition("ResolvedRefs", "False", reason="BackendNotFound")],
            "ResolvedRefs is False (BackendNotFound): no message",
        ),
        (
            [*good(), a_condition("PartiallyInvalid", message="Dropped Rule 1: weights", reason="UnsupportedValue")],
            "PartiallyInvalid is True (UnsupportedValue): Dropped Rule 1: weights",
        ),
    ],
)
def test_a_refusal_is_told_in_the_gateways_words(conditions: list[Json], said: str) -> None:
    word = a_word([a_parent(conditions)])
    assert (word.says(()), word.why((), Bars.ROUTE)) == (REJECTED, f"Gateway `default/inference-gateway`: {said}")


@pytest.mark.parametrize(
    ("conditions", "says"),
    [
        ([*good(), a_condition("PartiallyInvalid", message="Dropped Rule 2: no policy")], PARTLY),
        ([*good(), a_condition("PartiallyInvalid", message="some of it")], PARTLY),
        ([*good(), a_condition("PartiallyInvalid", message=f"Dropped Rule 2: {NEW} has no picker")], REJECTED),
        (bad(f"Dropped Rule 2: {NEW}.default.inference.cluster.local has no endpoint"), REJECTED),
        ([*good(), a_condition("PartiallyInvalid", "False")], ACCEPTED),
        ([*good(), a_condition("PartiallyInvalid", seen=4)], ACCEPTED),
        (bad("Dropped Rule 2: RoutePolicy missing not found"), PARTLY),
        (bad("Dropped Rule 1: RoutePolicy missing not found"), REJECTED),
        (bad("Dropped Rule 1 and Rule 2"), REJECTED),
        (bad("Dropped Rule 9"), REJECTED),
    ],
)
def test_a_part_of_the_route_that_is_not_ours_is_no_refusal_of_ours(conditions: list[Json], says: GatewaySays) -> None:
    assert a_word([a_parent(conditions)]).says(()) is says


@pytest.mark.parametrize(
    ("message", "places"),
    [
        ("Dropped Rule 1: weights", {0}),
        ("Dropped Rules 1, spec.rules[1] is bad", {0, 1}),
        ("Dropped Rules 1, 2: no sum", {0, 1}),
        ("Dropped Rule 1, 2", {0, 1}),
        ("Rules 1 and 2 are dropped", {0, 1}),
        ("Rule 1 and Rule 2", {0, 1}),
        ("Rules 1, and 2", {0, 1}),
        ("rules 0-1", {0, 1}),
        ("Dropped Rule(s) [1 2]", {0, 1}),
        ("Dropped Rule(s) [2]: 1 backend", {1}),
        ("spec.rules[1]: 2 errors", {1}),
        ("spec.rules[0], spec.rules[1]", {0, 1}),
        ("Rule 2, 15 seconds ago", {1}),
        ("Rule 2 - 1 backend not found", {0, 1}),
        ("rule 2 to 10.96.0.12", {1}),
        ("rule 2, 0 valid backends", {1}),
        ("rule #2", {1}),
        ("rule 0 is dropped", {0}),
        ("spec.rules[0].backendRefs[1]: bad", {0}),
        ("Dropped rule `chat`", {0}),
        ("rule chat-2 is dropped", set()),
        ("Rule 3", set()),
        ("300 rules of 2026", set()),
        ("", set()),
    ],
)
def test_rules_are_found_in_a_message(message: str, places: set[int]) -> None:
    rules = [a_rule(a_ref("llama"), name="chat"), a_rule(a_ref("docs"), name="docs")]
    assert rules_named(message, rules) == places


@pytest.mark.parametrize("kind", ["Reconciled", "Programmed"])
def test_what_the_data_plane_does_not_have_is_not_accepted_and_no_refusal(kind: str) -> None:
    word = a_word([a_parent([*good(), a_condition(kind, "False", message="GWCER104: no picker")])])
    assert (word.says(()), word.why((), Bars.PROGRAM)) == (
        NOTHING,
        f"Gateway `default/inference-gateway`: {kind} is False (Why): GWCER104: no picker",
    )


def test_the_word_of_the_gateways_own_controller_counts_and_the_others_is_a_note() -> None:
    parents = [a_parent(good()), a_parent(bad("not managed by this controller"), controller=OTHER)]
    note = (
        f"Controller `{OTHER}` says no for Gateway `default/inference-gateway`, which is another controller's: that "
        "does not count."
    )
    for controller in (OWN, ""):
        word = a_word(parents, controller=controller)
        assert (word.says(()), word.objections, word.notes) == (ACCEPTED, (), (note,))
    assert a_word(parents, controller=OTHER).says(()) is REJECTED
    assert a_word([a_parent(good(), controller=OTHER)], controller=OWN).says(()) is NOTHING


@pytest.mark.parametrize(
    ("own", "says"), [(good(4), NOTHING), (good(None), NOTHING), (good(5), ACCEPTED), (bad("no picker"), REJECTED)]
)
def test_without_a_class_a_strangers_no_does_not_come_before_the_yes_of_who_took_the_route_until_now(
    own: list[Json], says: GatewaySays
) -> None:
    strange = a_parent(bad("not managed by this controller"), controller=OTHER)
    assert a_word([a_parent(own), strange]).says(()) is says


def test_an_old_entry_of_the_controller_says_nothing() -> None:
    assert a_word([a_parent(bad(seen=1)), a_parent(good())], controller=OWN).says(()) is ACCEPTED


TWO = [{"name": "a"}, {"name": "b", "namespace": "infra"}]


@pytest.mark.parametrize(
    ("parents", "says"),
    [
        ([a_parent(good(), "a"), a_parent(good(), "b", namespace="infra")], ACCEPTED),
        ([a_parent(good(), "a")], NOTHING),
        ([a_parent(good(), "a"), a_parent(good(4), "b", namespace="infra")], NOTHING),
        ([a_parent(good(), "a"), a_parent(bad(), "b", namespace="infra")], REJECTED),
    ],
)
def test_every_parent_must_accept_and_one_may_refuse(parents: list[Json], says: GatewaySays) -> None:
    assert a_word(parents, refs=TWO).says(()) is says


def test_what_was_refused_before_our_write_is_no_refusal_of_ours() -> None:
    before = a_word(
        [a_parent(good(), "a"), a_parent(bad("no host", 4), "b", namespace="infra")],
        generation=ANY_GENERATION,
        refs=TWO,
    )
    known = [each.key for each in before.objections]
    same = a_word([a_parent(good(), "a"), a_parent(bad("no such host"), "b", namespace="infra")], refs=TWO)
    assert (same.says(known), same.says(())) == (ACCEPTED, REJECTED)
    other = a_word([a_parent(good(), "a"), a_parent(bad(reason="New"), "b", namespace="infra")], refs=TWO)
    assert other.says(known) is REJECTED
    ours = a_word([a_parent(good(), "a"), a_parent(bad(f"{NEW}-epp is missing"), "b", namespace="infra")], refs=TWO)
    assert ours.says(known) is REJECTED
    silent = a_word([a_parent(good(4), "a"), a_parent(bad(), "b", namespace="infra")], refs=TWO)
    assert silent.says(known) is NOTHING


@pytest.mark.parametrize("part", [{"port": 443}, {"sectionName": "b"}, {"namespace": "infra"}, {"name": "b"}])
def test_what_one_parent_refused_before_is_news_of_another(part: Json) -> None:
    first: Json = {"name": "inference-gateway", "sectionName": "a", "port": 80}
    refs = [first, {**first, **part}]
    before, after = (
        a_word([a_parent(bad(), **first), a_parent(second, **refs[1])], refs=refs) for second in (good(), bad())
    )
    known = [each.key for each in before.objections]
    assert (before.says(known), after.says(known)) == (ACCEPTED, REJECTED)


def test_a_route_that_all_parents_refused_before_is_never_accepted() -> None:
    word = a_word([a_parent(bad())])
    assert word.says([each.key for each in word.objections]) is NOTHING


def test_what_the_data_plane_did_not_have_before_counts_again_for_a_new_generation() -> None:
    before, after = (
        a_word([a_parent([*good(), a_condition("Reconciled", "False", seen)])], generation=ANY_GENERATION)
        for seen in (4, 5)
    )
    known = [each.key for each in before.objections]
    assert (bool(before.why(known, Bars.PROGRAM)), bool(after.why(known, Bars.PROGRAM))) == (False, True)


def test_a_route_without_parents_is_never_accepted() -> None:
    assert a_word([], refs=[]) == GatewayWord()


def test_a_long_message_is_read_and_shown_in_short() -> None:
    word = a_word([a_parent(bad("rule " * 6_500 + NEW))])
    assert (len(word.objections), len(word.why((), Bars.ROUTE)) < 600, word.parents[0].accepts) == (1, True, False)
    assert word.parents == (ParentWord(accepts=False, objections=word.objections),)
