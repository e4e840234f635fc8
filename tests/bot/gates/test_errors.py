from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import cast

import pytest

from bot.domain.evidence import EvidenceRules, Idle
from bot.domain.gate import Figure, GateAnswer
from bot.domain.operation import OperationPhase
from bot.domain.rollout import Entry
from bot.gates.errors import ErrorKeys, check
from bot.gates.gate import Found
from bot.gates.numbers.names import Count, Time
from bot.gates.numbers.numbers import Numbers
from bot.gates.numbers.tally import EVER, Streams
from bot.gates.numbers.window import NothingToCompareError, Window
from tests.bot.gates.test_quality import Kept
from tests.bot.gates.test_warm_up import warmed
from tests.bot.gates.windows import RULES, Story, a_window, always, asked, shorter
from tests.builders import NOON, a_rollout, an_entry

HEALTHY = always(good=135, more={Count.PICKED: 135}, streams=Streams(unended=0, before=0, after=0))
BARE = always(times={Time.FIRST_TOKEN: {EVER: 135}, Time.WHOLE: {EVER: 135}})
"""A pool that counts nothing of what fails, as SGLang's servers without a picker."""
NOBODY_ASKS = (
    "Both pools are idle: there are no requests to judge. `evidence.idle: pass` lets steps go on all the same."
)


def found(canary: Story, stable: Story = HEALTHY, **keys: float) -> Found:
    return check(asked(a_window(canary, stable)), ErrorKeys(**keys))


def test_a_pool_that_fails_nothing_passes() -> None:
    assert found(always(good=15)) == Found(
        answer=GateAnswer.PASS,
        evidence="errors 0.0 % (old 0.0 %)",
        figures=(
            Figure("requests", "240", "2,160"),
            Figure("errors", "0.0 %", "0.0 %"),
        ),
        details="240 new and 2,160 old requests in 4 min. Fails if the share stays 0.5 percentage points above the old "
        "pool's, and 2 times as large, for longer than 1m; at once if it is 25 points higher.",
    )


def test_5xx_of_the_model_servers_fail_it_with_the_one_figure() -> None:
    seen = found(always(good=14, broken=1))
    assert (seen.answer, seen.evidence, seen.reason) == (
        GateAnswer.FAIL,
        "errors 6.7 % (old 0.0 %)",
        "6.7 % of the new pool's 240 requests failed (16 with 5xx), and 0.0 % of the old pool's 2,160.",
    )


def since_weighed(canary: Story, *, cold: int = 4, slices: int = 12) -> Window:
    """Return a window whose first slices are from before caches were warm."""
    window = a_window(canary, HEALTHY, slices=slices)
    return replace(window, unsettled=window.slices[:cold], slices=window.slices[cold:])


def test_5xx_are_evidence_from_the_change_of_weights_on_although_caches_were_cold() -> None:
    window = since_weighed(lambda number: {"good": 9, "broken": 1 - number % 2})
    seen = [check(asked(each), ErrorKeys()) for each in (replace(window, unsettled=()), window)]
    assert [(each.answer, each.reason) for each in seen] == [
        (
            GateAnswer.HOLD,
            "5.3 % of the new pool's 76 requests failed (4 with 5xx), and 0.0 % of the old pool's 1,080; "
            "I wait to see whether that lasts.",
        ),
        (
            GateAnswer.FAIL,
            "5.3 % of the new pool's 114 requests failed since the weight changed (6 with 5xx), "
            "and 0.0 % of the old pool's 1,620.",
        ),
    ]


def test_4xx_are_evidence_from_the_change_of_weights_on_too() -> None:
    window = since_weighed(lambda number: {"good": 9, "away": 1 - number % 2})
    seen = [check(asked(each), ErrorKeys()) for each in (replace(window, unsettled=()), window)]
    assert [(each.answer, each.evidence) for each in seen] == [
        (GateAnswer.HOLD, "4xx 5.3 % (old 0.0 %)"),
        (GateAnswer.FAIL, "4xx 5.3 % (old 0.0 %)"),
    ]
    assert seen[1].reason == (
        "5.3 % of the new pool's 114 requests were turned away with 4xx since the weight changed, "
        "and 0.0 % of the old pool's 1,620."
    )


@pytest.mark.parametrize(
    "cold",
    [
        {"broken": 15},
        {"good": 5, "more": {Count.PICKED: 15}},
        {"good": 5, "more": {Count.PICKED: 5, Count.UNPICKED: 10}},
        {"good": 15, "streams": Streams(unended=9, before=2, after=2)},
        {"good": 5, "away": 10},
    ],
    ids=["5xx", "not answered", "refused", "cut", "4xx"],
)
def test_what_failed_only_while_caches_were_cold_neither_fails_nor_holds(cold: Mapping[str, object]) -> None:
    window = since_weighed(lambda number: cold if number < 4 else {"good": 15, "more": {Count.PICKED: 15}})
    assert check(asked(window), ErrorKeys()).answer is GateAnswer.PASS


def test_requests_that_its_picker_refuses_fail_it() -> None:
    seen = found(always(good=12, more={Count.PICKED: 12, Count.UNPICKED: 3}))
    assert (seen.answer, seen.reason) == (
        GateAnswer.FAIL,
        "20.0 % of the new pool's 240 requests failed (48 refused by its picker), and 0.0 % of the old pool's 2,160.",
    )


def test_an_empty_pool_whose_picker_refuses_all_fails_it_at_once() -> None:
    window = a_window(always(pods=0), HEALTHY, slices=3)
    slices = [replace(each, canary=replace(each.canary, counts={Count.UNPICKED: 15})) for each in window.slices]
    seen = check(asked(replace(window, slices=tuple(slices))), ErrorKeys())
    assert (seen.answer, seen.evidence) == (GateAnswer.FAIL, "errors 100 % (old 0.0 %)")


def test_streams_that_are_cut_fail_it() -> None:
    seen = found(always(good=15, streams=Streams(unended=3, before=2, after=2)))
    assert (seen.answer, seen.reason) == (
        GateAnswer.FAIL,
        "19.2 % of the new pool's 240 requests failed (46 cut), and 0.0 % of the old pool's 2,160.",
    )


def test_requests_that_are_never_answered_fail_it() -> None:
    seen = found(always(more={Count.PICKED: 15}), always(good=135, more={Count.PICKED: 135}))
    assert (seen.answer, seen.reason) == (
        GateAnswer.FAIL,
        "100 % of the new pool's 210 requests failed (210 not answered), and 0.0 % of the old pool's 2,160.",
    )


def test_a_picker_that_is_asked_for_the_other_pools_requests_too_is_not_the_new_pools_failure() -> None:
    picks = {"more": {Count.PICKED: 150}}
    assert found(always(good=15, **picks), always(good=135, more={Count.PICKED: 0})).answer is GateAnswer.PASS


def test_requests_with_many_prompts_do_not_hide_that_the_new_pool_never_answers() -> None:
    many = always(more={Count.PICKED: 10}, times={Time.FIRST_TOKEN: {EVER: 240}, Time.WHOLE: {EVER: 240}})
    assert found(always(more={Count.PICKED: 15}), many).answer is GateAnswer.FAIL


@pytest.mark.parametrize("is_same", [True, False])
def test_cut_streams_are_compared_between_the_same_engines_only(is_same: bool) -> None:
    window = a_window(always(good=15, streams=Streams(unended=1, before=2, after=2)), HEALTHY)
    seen = check(asked(replace(window, is_same_engine=is_same)), ErrorKeys())
    assert seen.answer is (GateAnswer.FAIL if is_same else GateAnswer.PASS)


def test_many_cut_streams_of_another_engine_hold() -> None:
    def seen(old: int) -> Found:
        some = always(good=135, more={Count.PICKED: 135}, streams=Streams(unended=old, before=0, after=0))
        window = a_window(always(good=15, streams=Streams(unended=9, before=2, after=2)), some)
        return check(asked(replace(window, is_same_engine=False)), ErrorKeys())

    worse = "Look at both, and roll back if the new one is worse."
    assert [(each.answer, each.reason) for each in map(seen, (0, 27, 81))] == [
        (
            GateAnswer.HOLD,
            "59.2 % of the new pool's 240 requests failed (142 cut), and nobody has counted that in the old pool. "
            + worse,
        ),
        (
            GateAnswer.HOLD,
            "59.2 % of the new pool's 240 requests failed (142 cut), and 20.0 % of the old pool's, "
            "which may count that in another way. " + worse,
        ),
        (GateAnswer.PASS, ""),
    ]


def test_cut_streams_have_to_last() -> None:
    seen = found(lambda number: {"good": 15, "streams": Streams(400 if number == 9 else 0, 0, 0)})
    assert seen.answer is GateAnswer.HOLD


def test_requests_that_may_be_answered_by_servers_that_are_not_scraped_hold_and_do_not_fail_it() -> None:
    seen = found(always(good=5, more={Count.PICKED: 15}, pods=1, of=3), always(good=135, more={Count.PICKED: 135}))
    assert (seen.answer, seen.reason) == (
        GateAnswer.HOLD,
        "The new pool's endpoint picker chose a model server 240 times, and no more than 80 answers are known: "
        "Prometheus scrapes 1 of its 3 model servers. Let it scrape all.",
    )


def test_a_bot_that_has_just_been_started_does_not_know_which_servers_have_left() -> None:
    window = a_window(always(more={Count.PICKED: 15}), HEALTHY)
    seen = check(asked(replace(window, watched_since=1e9)), ErrorKeys())
    assert (seen.answer, seen.reason) == (
        GateAnswer.HOLD,
        "The new pool's endpoint picker chose a model server 240 times, and no more than 0 answers are known; "
        "I wait to see whether that lasts.",
    )


def test_requests_that_servers_which_have_left_may_have_answered_are_not_missed() -> None:
    gone = always(good=5, more={Count.PICKED: 15}, is_steady=False)
    assert found(gone, always(good=135, more={Count.PICKED: 135})).answer is GateAnswer.PASS


@pytest.mark.parametrize(
    "canary",
    [
        always(good=14, broken=1),
        always(good=14, away=1),
        always(good=14, more={Count.PICKED: 14, Count.UNPICKED: 1}),
        always(good=15, streams=Streams(unended=3, before=2, after=2)),
    ],
    ids=["5xx", "4xx", "refusals", "cut streams"],
)
def test_what_the_old_pool_does_not_count_is_no_difference(canary: Story) -> None:
    assert found(canary, BARE).answer is GateAnswer.PASS


@pytest.mark.parametrize(
    ("canary", "what"),
    [
        (always(good=9, broken=6), "failed (96 with 5xx)"),
        (always(good=9, away=6), "were turned away with 4xx"),
    ],
)
def test_much_that_the_old_pool_does_not_count_holds(canary: Story, what: str) -> None:
    seen = found(canary, BARE)
    assert (seen.answer, seen.reason) == (
        GateAnswer.HOLD,
        f"40.0 % of the new pool's 240 requests {what}, and nobody has counted that in the old pool. "
        "Look at both, and roll back if the new one is worse.",
    )


def test_while_a_warm_up_sends_prompts_nothing_passes_and_what_is_bad_fails() -> None:
    running = Kept(warmed("a/0", phase=OperationPhase.RUNNING))

    def seen(canary: Story) -> Found:
        question = asked(a_window(canary, HEALTHY))
        return check(replace(question, sources=replace(question.sources, operations=running)), ErrorKeys())

    assert (seen(always(good=15)).answer, seen(always(good=15)).reason) == (
        GateAnswer.HOLD,
        "A warm-up sends prompts to the new pool, and they are no evidence; I judge what comes after it.",
    )
    assert seen(always(good=14, broken=1)).answer is GateAnswer.FAIL


@pytest.mark.parametrize(
    ("canary", "answer", "reason"),
    [
        (always(good=15), GateAnswer.PASS, ""),
        (
            always(broken=15),
            GateAnswer.HOLD,
            "100 % of the new pool's 240 requests failed (240 with 5xx), and nobody has counted that in the old pool. "
            "Look at both, and roll back if the new one is worse.",
        ),
        (
            always(),
            GateAnswer.HOLD,
            NOBODY_ASKS,
        ),
    ],
)
def test_with_nothing_to_compare_with_only_much_that_fails_holds(
    canary: Story, answer: GateAnswer, reason: str
) -> None:
    question = asked(a_window(canary, always()))

    class Alone:
        rules = RULES

        def window(self, entry: object, now: object, after: object) -> Window:
            raise NothingToCompareError(a_window(canary, always()))

    sources = replace(question.sources, numbers=cast(Numbers, Alone()))
    seen = check(replace(question, sources=sources), ErrorKeys())
    assert (seen.answer, seen.reason) == (answer, reason)


def test_where_nobody_counts_errors_it_holds() -> None:
    sglang = always(times={Time.FIRST_TOKEN: {EVER: 15}, Time.WHOLE: {EVER: 15}})
    assert (found(sglang).answer, found(sglang).evidence) == (GateAnswer.HOLD, "errors not counted")


def test_requests_that_only_it_turns_away_fail_it_as_those_for_a_missing_adapter_do() -> None:
    seen = found(always(good=13, away=2), always(good=134, away=1))
    assert (seen.answer, seen.evidence, seen.reason) == (
        GateAnswer.FAIL,
        "4xx 13.3 % (old 0.7 %)",
        "13.3 % of the new pool's 240 requests were turned away with 4xx, and 0.7 % of the old pool's 2,160.",
    )


def test_errors_that_both_pools_have_pass() -> None:
    assert found(always(good=13, broken=2), always(good=117, broken=18)).answer is GateAnswer.PASS


def test_one_bad_minute_holds_and_does_not_fail_it() -> None:
    seen = found(lambda number: {"good": 5, "broken": 10} if 8 <= number < 10 else {"good": 15})
    assert (seen.answer, seen.reason) == (
        GateAnswer.HOLD,
        "8.3 % of the new pool's 240 requests failed (20 with 5xx), and 0.0 % of the old pool's 2,160; "
        "I wait to see whether that lasts.",
    )


def test_a_gross_effect_fails_it_at_once_and_the_policy_says_what_that_is() -> None:
    def sudden(number: int) -> Mapping[str, int]:
        return {"good": 9} if number < 14 else {"broken": 30}

    assert found(sudden).answer is GateAnswer.FAIL
    assert found(sudden, at_once=90).answer is GateAnswer.HOLD


def test_few_failures_hold_as_few_requests_do() -> None:
    def once(**does: int) -> Story:
        return lambda number: does if number == 3 else {}

    seen = found(once(broken=5), once(good=1, broken=1))
    assert (seen.answer, seen.reason) == (
        GateAnswer.HOLD,
        "The new pool has had 5 of the 50 requests that a judgement needs (`evidence.requests`).",
    )


def test_few_requests_hold() -> None:
    seen = check(asked(a_window(always(good=2), HEALTHY)), ErrorKeys())
    assert (seen.answer, seen.reason) == (
        GateAnswer.HOLD,
        "The new pool has had 32 of the 50 requests that a judgement needs (`evidence.requests`).",
    )


@pytest.mark.parametrize(
    ("idle", "answer", "reason"),
    [
        (
            Idle.HOLD,
            GateAnswer.HOLD,
            NOBODY_ASKS,
        ),
        (Idle.PASS, GateAnswer.PASS, ""),
    ],
)
def test_of_idle_pools_the_policy_decides(idle: Idle, answer: GateAnswer, reason: str) -> None:
    window = a_window(always(), always())
    seen = check(asked(window, rules=shorter(idle=idle)), ErrorKeys())
    assert (seen.answer, seen.reason) == (answer, reason)


def test_of_a_pool_without_requests_there_is_no_share() -> None:
    seen = found(always(more={Count.GOOD: 0}))
    assert (seen.evidence, seen.figures[1]) == ("errors – (old 0.0 %)", Figure("errors", "–", "0.0 %"))


def test_what_was_before_people_resumed_is_no_evidence_any_more() -> None:
    """They have mended what had paused it, so a gate that looked at that again would pause it again."""
    numbers, later = Asking(a_window(always(good=15), HEALTHY)), NOON + timedelta(minutes=5)
    question = asked(numbers.made)
    sources = replace(question.sources, numbers=cast(Numbers, numbers))
    for rollout in (a_rollout(), a_rollout(resumed_at=later)):
        check(replace(question, entry=an_entry(rollout), sources=sources), ErrorKeys())
    assert numbers.after == [None, later]


@dataclass
class Asking:
    """Numbers that note from when on they are asked for."""

    made: Window
    rules: EvidenceRules = RULES
    after: list[datetime | None] = field(default_factory=list)

    def window(self, entry: Entry, now: datetime, after: datetime | None) -> Window:
        self.after.append(after)
        return self.made


def test_what_is_forgiven_is_the_policys() -> None:
    window = a_window(lambda number: {"good": 6, "broken": 9} if 6 <= number < 12 else {"good": 15}, HEALTHY)
    assert check(asked(window), ErrorKeys()).answer is GateAnswer.FAIL
    assert check(asked(window, rules=shorter(forgives=timedelta(seconds=75))), ErrorKeys()).answer is GateAnswer.HOLD
    assert RULES.forgives == timedelta(minutes=1)
