"""Which route, which pool and which rules a start means; and what it says where that is not clear."""

import json
from typing import Any

import pytest

from bot.domain.commands.request import StartWords
from bot.domain.errors import RouteError
from bot.domain.plan import Wishes
from bot.domain.rollout import Pool, Rule
from bot.engine.notes import NO_KEYS
from k8s.document import rule_key
from k8s.httproute import copy_of
from k8s.pairing import choose, rules_for
from k8s.search import Search
from tests.k8s.build import CANARY, NEW, OLD, STABLE, Json, a_ref, a_route, a_rule, a_service


def a_search(**words: Any) -> Search:
    return Search("/rollout", ("default",), NEW, StartWords(weight=10, **words))


def chosen(*routes: Json, **words: Any) -> tuple[str, Pool]:
    copy, pool = choose(a_search(**words), [copy_of(route, NO_KEYS) for route in routes], CANARY)
    return copy.name, pool


def refusal(*routes: Json, **words: Any) -> list[str]:
    """Return the lines of the error of a start."""
    with pytest.raises(RouteError) as caught:
        moved(*routes, **words)
    return [caught.value.message, *caught.value.hint.split("\n")]


def moved(*routes: Json, **words: Any) -> tuple[Rule, ...]:
    search = a_search(**words)
    copy, stable = choose(search, [copy_of(route, NO_KEYS) for route in routes], CANARY)
    return rules_for(search, copy, stable, CANARY)


ONE = a_route(a_rule(a_ref(OLD)))
TWO = a_route(a_rule(a_ref("qwen")), name="qwen-route")
FAR = a_route(a_rule(a_ref(OLD, namespace="default")), a_rule(a_ref("x"), path="/x"), name="far", namespace="infra")
MODELS = a_route(a_rule(a_ref(OLD), path="/a", name="chat"), a_rule(a_ref("qwen"), path="/b", name="code"))


@pytest.mark.parametrize(
    ("routes", "words", "found"),
    [
        ([ONE], {}, ("llm-route", STABLE)),
        ([ONE, TWO], {"route": "qwen-route"}, ("qwen-route", Pool("default", "qwen"))),
        ([ONE, TWO], {"stable": OLD}, ("llm-route", STABLE)),
        ([MODELS], {"stable": "qwen"}, ("llm-route", Pool("default", "qwen"))),
        ([MODELS], {"rule": "chat"}, ("llm-route", STABLE)),
        ([ONE, a_route(a_rule(a_service("web")), name="web")], {}, ("llm-route", STABLE)),
        ([ONE, a_route(a_rule(a_ref(NEW)), name="probe")], {}, ("llm-route", STABLE)),
        ([ONE, a_route(a_rule(a_ref(OLD)), name="leaving", deletionTimestamp="now")], {}, ("llm-route", STABLE)),
        ([a_route(a_rule(a_ref(OLD), a_ref(NEW, 0), a_ref("older", 0)))], {}, ("llm-route", STABLE)),
        ([a_route(a_rule(a_ref(OLD)), a_rule(a_ref(OLD), path="/v2"))], {}, ("llm-route", STABLE)),
        ([a_route(a_rule(a_ref(OLD, None)), a_rule(a_ref(NEW), path="/v2"))], {}, ("llm-route", STABLE)),
        ([a_route(a_rule(a_ref(OLD, namespace="default")), namespace="infra")], {}, ("llm-route", STABLE)),
        ([ONE, a_route(a_rule(a_ref(OLD), a_ref("x")), namespace="infra", name="theirs")], {}, ("llm-route", STABLE)),
        ([ONE, FAR], {"route": "infra/far"}, ("far", STABLE)),
        ([ONE, FAR], {"route": "far"}, ("far", STABLE)),
        ([ONE, FAR], {"route": "default/llm-route"}, ("llm-route", STABLE)),
    ],
)
def test_the_only_route_and_pool_that_fit(routes: list[Json], words: dict[str, str], found: tuple[str, Pool]) -> None:
    assert chosen(*routes, **words) == found


@pytest.mark.parametrize(
    ("routes", "words", "lines"),
    [
        (
            [],
            {},
            [
                "No HTTPRoute in namespace `default` sends traffic to an InferencePool.",
                "Point a route at the pool that serves now, or name another namespace with `namespace=`.",
            ],
        ),
        (
            [a_route(a_rule(a_ref(NEW)))],
            {},
            [
                "`llama-new` is the only InferencePool of HTTPRoute `default/llm-route`: "
                "there is no pool to take traffic from.",
                "Name the new pool, not the one that serves now.",
            ],
        ),
        (
            [ONE, TWO],
            {},
            [
                "More than one HTTPRoute fits `llama-new`.",
                "Say which one:",
                "`/rollout start llama-new 10 route=llm-route from=llama`",
                "`/rollout start llama-new 10 route=qwen-route from=qwen`",
            ],
        ),
        (
            [ONE, a_route(a_rule(a_ref(OLD)), name="canary-route")],
            {"wishes": Wishes(steps=(10, 50), approve_at=())},
            [
                "More than one HTTPRoute fits `llama-new`.",
                "Say which one:",
                "`/rollout start llama-new 10 route=llm-route steps=10,50 approve=none`",
                "`/rollout start llama-new 10 route=canary-route steps=10,50 approve=none`",
            ],
        ),
        (
            [MODELS],
            {},
            [
                "More than one pool to take traffic from fits `llama-new`.",
                "Say which one:",
                "`/rollout start llama-new 10 from=llama`",
                "`/rollout start llama-new 10 from=qwen`",
            ],
        ),
        (
            [a_route(a_rule(a_ref(OLD)), name=f"route-{number}") for number in range(7)],
            {},
            [
                "More than one HTTPRoute fits `llama-new`.",
                "Say which one:",
                *(f"`/rollout start llama-new 10 route=route-{number}`" for number in range(5)),
                "… and 2 more",
            ],
        ),
        (
            [ONE, TWO],
            {"route": "lm-route"},
            [
                "There is no HTTPRoute `lm-route` in namespace `default`.",
                "Type `/rollout start llama-new 10 route=llm-route`.",
            ],
        ),
        ([], {"route": "x"}, ["There is no HTTPRoute `x` in namespace `default`.", "Create one first."]),
        (
            [MODELS],
            {"rule": "chatt"},
            [
                "No HTTPRoute in namespace `default` has a rule `chatt`.",
                "Say which one:",
                "`/rollout start llama-new 10 rule=chat`",
                "`/rollout start llama-new 10 rule=code`",
            ],
        ),
        (
            [ONE],
            {"stable": "lama"},
            [
                "No HTTPRoute in namespace `default` sends to `lama`.",
                "Type `/rollout start llama-new 10 from=llama`.",
            ],
        ),
        (
            [a_route(a_rule(a_ref(OLD, 50), a_ref("qwen", 50)))],
            {},
            [
                "`rule 1` of HTTPRoute `default/llm-route` also sends to InferencePool `qwen` (weight 50), "
                "besides `llama`.",
                "Give it weight 0 or remove it: a rollout moves traffic between two pools only.",
            ],
        ),
        (
            [a_route(a_rule(a_ref(OLD)), a_rule(a_ref(OLD), a_service("legacy", 3), path="/v2", name="v2"))],
            {},
            [
                "`v2` of HTTPRoute `default/llm-route` also sends to Service `legacy` (weight 3), besides `llama`.",
                "Give it weight 0 or remove it: a rollout moves traffic between two pools only. "
                "Or move the others: `/rollout start llama-new 10 rule=1`.",
            ],
        ),
        (
            [a_route(a_rule(a_ref(OLD, 0), a_ref(NEW, 100)))],
            {},
            [
                "`rule 1` of HTTPRoute `default/llm-route` gives `llama` weight 0: there is no traffic to move.",
                "Give it weight first, or choose other rules with `rule=`.",
            ],
        ),
        (
            [a_route(a_rule(a_ref(OLD, 3), a_ref(NEW, 1)))],
            {},
            [
                "`rule 1` of HTTPRoute `default/llm-route` already gives `llama-new` about 25 %, "
                "more than the first weight 10.",
                "Start at 25 % or above, or lower its weight first.",
            ],
        ),
        (
            [a_route(a_rule(a_ref(OLD, 3), a_ref(OLD, 1)))],
            {},
            [
                "`rule 1` of HTTPRoute `default/llm-route` holds `llama` twice.",
                "Merge the two backendRefs into one first.",
            ],
        ),
        (
            [a_route(a_rule({**a_ref(OLD), "group": "inference.networking.x-k8s.io"}))],
            {},
            [
                "InferencePool `llama` is of the old API group `inference.networking.x-k8s.io`, and this bot works "
                "with `inference.networking.k8s.io/v1`.",
                "Create it there too, and point the route at that one first: `targetPortNumber` is `targetPorts` now, "
                "and `extensionRef` is `endpointPickerRef`.",
            ],
        ),
        (
            [ONE, FAR],
            {},
            [
                "More than one HTTPRoute fits `llama-new`.",
                "Say which one:",
                "`/rollout start llama-new 10 route=llm-route`",
                "`/rollout start llama-new 10 route=infra/far`",
            ],
        ),
        (
            [ONE, FAR],
            {"route": "fra"},
            [
                "There is no HTTPRoute `fra` in namespace `default`.",
                "Say which one:",
                "`/rollout start llama-new 10 route=infra/far`",
                "`/rollout start llama-new 10 route=llm-route`",
            ],
        ),
        (
            [a_route(a_rule(a_ref(OLD, namespace="other")))],
            {},
            [
                "`other/llama` (inference.networking.k8s.io) and `default/llama-new` "
                "(inference.networking.k8s.io) are not of the same namespace and group.",
                "Deploy the new pool beside the old one, with the same API group.",
            ],
        ),
    ],
)
def test_a_start_that_does_not_fit_says_why_and_what_to_do(
    routes: list[Json], words: dict[str, Any], lines: list[str]
) -> None:
    assert refusal(*routes, **words) == lines


def test_all_rules_with_the_stable_pool_move_and_rule_narrows_them() -> None:
    taken = a_rule(a_ref(NEW, 5), a_ref(OLD, 95, filters=[]), path="/v2")
    route = a_route(a_rule(a_ref(OLD), name="chat"), a_rule(a_service("docs"), path="/docs"), taken)
    chat = Rule(
        key="chat", index=0, stable_ref=json.dumps(a_ref(OLD), separators=(",", ":")), stable_index=0,
        stable_before=1, canary_before=None,
    )  # fmt: skip
    v2 = Rule(
        key=rule_key(taken), index=2, stable_ref=json.dumps(a_ref(OLD, 95, filters=[]), separators=(",", ":")),
        stable_index=1, stable_before=95, canary_before=5,
    )  # fmt: skip

    assert rules_for(a_search(), copy_of(route, NO_KEYS), STABLE, CANARY) == (chat, v2)
    assert rules_for(a_search(rule="chat"), copy_of(route, NO_KEYS), STABLE, CANARY) == (chat,)


@pytest.mark.parametrize(("before", "weight"), [((1, 0), 1), ((90, 10), 10), ((3, 1), 25), ((0, 0), 1)])
def test_a_canary_with_a_share_up_to_the_first_weight_is_taken_over(before: tuple[int, int], weight: int) -> None:
    stable, canary = before
    search = Search("/rollout", ("default",), NEW, StartWords(weight=weight))
    route = copy_of(a_route(a_rule(a_ref(OLD, stable or 1), a_ref(NEW, canary))), NO_KEYS)

    assert [rule.canary_before for rule in rules_for(search, route, STABLE, CANARY)] == [canary]


@pytest.mark.parametrize(("typed", "places"), [("2", [0]), ("1", [0]), ("b", [1]), ("2,b", [0, 1]), ("/b", [1])])
def test_a_number_that_is_a_rules_name_means_that_rule(typed: str, places: list[int]) -> None:
    route = a_route(a_rule(a_ref(OLD), path="/a", name="2"), a_rule(a_ref(OLD), path="/b", name="b"))
    assert [rule.index for rule in moved(route, rule=typed)] == places
