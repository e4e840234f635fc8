from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import pytest

from bot.domain.gate import GateAnswer, OnFail
from bot.domain.operation import OperationPhase
from bot.domain.rollout import Entry
from bot.gates.gate import Found
from bot.gates.numbers.names import Count, Time
from bot.gates.numbers.tally import EVER
from bot.gates.split import GATE, THEN, SplitKeys, check
from tests.bot.gates.test_quality import Kept
from tests.bot.gates.test_warm_up import warmed
from tests.bot.gates.windows import Story, a_window, always, asked
from tests.builders import CANARY, PLAN, READY, a_rollout, an_entry


@dataclass
class Route:
    """A route, and whether other rules of it hold our pools."""

    beside: bool = False
    others: Sequence[str] = ("default/llm-route",)
    parents: Sequence[str] = ("default/inference-gateway",)

    def kept(self, namespace: str, route: str) -> Any:
        return "the route"

    def gateways(self, copy: object) -> Sequence[str]:
        return self.parents

    def senders(self, pool: object) -> Sequence[str]:
        return self.others

    def has_rules_beside(self, copy: object, rollout: object) -> bool:
        return self.beside


def weighed(weight: int) -> Entry:
    entry = an_entry(a_rollout())
    assert entry.applied is not None
    return replace(entry, applied=replace(entry.applied, weight=weight))


def found(
    canary: Story,
    stable: Story,
    *,
    weight: int = 10,
    entry: Entry | None = None,
    route: Route | None = None,
    slices: int = 16,
    lack: str = "",
) -> Found:
    window, routes = a_window(canary, stable, slices=slices), cast(Any, route or Route())
    return check(asked(window, entry=entry or weighed(weight), routes=routes, lack=lack), SplitKeys())


@pytest.mark.parametrize(
    ("new", "old", "weight", "reason"),
    [
        (15, 135, 10, ""),
        (12, 138, 10, ""),
        (0, 1, 10, ""),  # too few to say
        (
            0,
            150,
            10,
            "Gateway `default/inference-gateway` sends all 2,400 requests to the old pool, and none to the new one, "
            "at a weight of 10 %: it does not take the weights. " + THEN,
        ),
        (
            150,
            0,
            10,
            "Gateway `default/inference-gateway` sends all 2,400 requests to the new pool, and none to the old one, "
            "at a weight of 10 %: it does not take the weights. " + THEN,
        ),
        (
            75,
            75,
            10,
            "Gateway `default/inference-gateway` sends 50 % of 2,400 requests to the new pool at a weight of 10 %. "
            + THEN,
        ),
        (
            75,
            75,
            90,
            "Gateway `default/inference-gateway` sends 50 % of 2,400 requests to the new pool at a weight of 90 %. "
            + THEN,
        ),
        (150, 0, 100, ""),
        (149, 1, 100, ""),  # as many as `compare` may send
        (140, 10, 100, "The old pool got 160 requests at a weight of 0. " + THEN),
    ],
)
def test_the_requests_of_both_pools_are_compared_with_the_weights(new: int, old: int, weight: int, reason: str) -> None:
    seen = found(always(good=new), always(good=old), weight=weight)
    assert (seen.reason, seen.answer) == (reason, GateAnswer.FAIL if reason else GateAnswer.PASS)


def test_one_of_several_gateways_is_not_named() -> None:
    seen = found(always(good=75), always(good=75), route=Route(parents=("default/one", "default/other")))
    assert seen.reason == "The gateway sends 50 % of 2,400 requests to the new pool at a weight of 10 %. " + THEN


def test_a_gateway_that_takes_its_time_is_waited_for() -> None:
    late = found(lambda number: {"good": 0 if number < 5 else 15}, lambda number: {"good": 150 if number < 5 else 135})
    assert late.answer is GateAnswer.PASS
    early = found(always(), always(good=150), slices=9)
    assert (early.answer, early.reason) == (
        GateAnswer.HOLD,
        "Gateway `default/inference-gateway` sends all 1,350 requests to the old pool, and none to the new one, "
        "at a weight of 10 %: it does not take the weights; I wait to see whether that lasts.",
    )


def test_a_gateway_that_sends_all_to_the_new_pool_is_not_waited_for() -> None:
    assert found(always(good=150), always(), slices=4).answer is GateAnswer.FAIL


def test_a_new_pool_that_cannot_serve_is_not_the_gateways_fault() -> None:
    lack = f"No endpoint picker of `{CANARY}` is ready."
    seen = found(always(), always(good=150), lack=lack)
    assert (seen.answer, seen.reason) == (GateAnswer.FAIL, lack)


def test_while_a_warm_up_sends_prompts_the_split_is_not_judged() -> None:
    question = asked(a_window(always(good=5), always(good=12)), entry=weighed(10), routes=cast(Any, Route()))
    running = Kept(warmed("a/0", phase=OperationPhase.RUNNING))
    seen = check(replace(question, sources=replace(question.sources, operations=running)), SplitKeys())
    assert (seen.answer, seen.evidence) == (
        GateAnswer.PASS,
        "split not judged: a warm-up sends prompts to the new pool too",
    )


def test_long_answers_that_end_at_the_old_pool_are_no_leak() -> None:
    ending = always(times={Time.FIRST_TOKEN: {EVER: 0}, Time.WHOLE: {EVER: 40}}, good=40)
    assert found(always(good=150), ending, weight=100).answer is GateAnswer.PASS


def test_without_pickers_servers_that_are_not_scraped_leave_the_split_unknown() -> None:
    seen = found(always(good=15), always(good=40, pods=2, of=6))
    assert (seen.answer, seen.reason) == (
        GateAnswer.HOLD,
        "I cannot count who got the requests. Let Prometheus scrape both endpoint pickers, or all model servers of "
        "both pools. If pods have just come or left, this ends in some minutes.",
    )
    picked = found(always(good=15, more={Count.PICKED: 15}), always(good=40, pods=2, of=6, more={Count.PICKED: 135}))
    assert (picked.answer, picked.evidence) == (GateAnswer.PASS, "split 10.0 % new at 10 %")


def test_it_says_what_it_saw() -> None:
    assert found(always(good=15), always(good=135)).evidence == "split 10.0 % new at 10 %"


def test_a_picker_that_is_asked_for_both_pools_is_named() -> None:
    seen = found(
        always(good=15, more={Count.PICKED: 150}),
        always(good=135, more={Count.PICKED: 0}),
    )
    assert (seen.answer, seen.reason) == (
        GateAnswer.FAIL,
        "Gateway `default/inference-gateway` asks the new pool's endpoint picker for 2,400 of 2,400 requests, although "
        "the old pool serves 2,160 of them: one picker decides for both pools. " + THEN,
    )


def test_a_picker_that_is_asked_for_both_pools_is_waited_for() -> None:
    seen = found(always(good=15, more={Count.PICKED: 150}), always(good=135, more={Count.PICKED: 0}), slices=8)
    assert seen.answer is GateAnswer.HOLD


def test_a_picker_that_was_not_scraped_for_a_while_does_not_count_the_requests() -> None:
    seen = found(always(good=15, more={Count.PICKED: 15}), always(good=135, more={Count.PICKED: 20}))
    assert (seen.answer, seen.evidence) == (GateAnswer.PASS, "split 10.0 % new at 10 %")


def test_pickers_that_are_each_asked_for_their_own_pool_are_as_they_should_be() -> None:
    seen = found(always(good=15, more={Count.PICKED: 15}), always(good=135, more={Count.PICKED: 135}))
    assert seen.answer is GateAnswer.PASS


@pytest.mark.parametrize(
    ("entry", "route"),
    [
        (weighed(10), Route(beside=True)),
        (replace(weighed(10), readiness=replace(READY, stable_routes=("default/llm-route", "default/other"))), Route()),
        (weighed(10), Route(others=("default/llm-route", "default/other"))),
    ],
    ids=["another rule of the route", "another route to the old pool", "another route to the new pool"],
)
def test_where_others_send_requests_to_the_pools_too_it_does_not_judge(entry: Entry, route: Route) -> None:
    seen = found(always(good=0), always(good=150), entry=entry, route=route)
    assert seen == Found(answer=GateAnswer.PASS, evidence="split not judged: other rules send to these pools too")


def test_while_requests_are_only_mirrored_there_is_no_split_to_judge() -> None:
    rollout = a_rollout(plan=replace(PLAN, mirror=10, steps=(0, 10, 100)), step=0)
    seen = found(always(good=15), always(good=150), entry=an_entry(rollout))
    assert seen == Found(answer=GateAnswer.PASS, evidence="split not judged: the new pool gets copies")


def test_the_gateways_fault_pauses_unless_the_policy_says_otherwise() -> None:
    assert GATE.keys().on_fail is OnFail.PAUSE
