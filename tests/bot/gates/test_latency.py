from collections.abc import Sequence
from typing import Any

import pytest

from bot.domain.gate import GateAnswer
from bot.gates.gate import Found
from bot.gates.latency import UNCLEAR, LatencyKeys, check
from bot.gates.numbers.names import Count, Time
from bot.gates.numbers.tally import EVER
from tests.bot.gates.windows import Story, a_window, always, asked, buckets

SPREAD: Sequence[float] = [0.03, 0.045, 0.055, 0.07, 0.09]


def answers(*, times: float = 1.0, each: int = 3, prompt: int = 200) -> dict[str, Any]:
    """Return a slice of answers that take so many times as long to the first token; each prompt has so many tokens."""
    first = [times * each for each in SPREAD] * each
    return {
        "good": len(first),
        "times": {Time.FIRST_TOKEN: buckets(first), Time.WHOLE: buckets([1.0] * len(first))},
        "more": {Count.PROMPT_TOKENS: prompt * len(first)},
    }


OLD: Story = always(**answers(each=27))


def found(canary: Story, stable: Story = OLD, keys: LatencyKeys = LatencyKeys()) -> Found:  # noqa: B008
    return check(asked(a_window(canary, stable)), keys)


def test_a_pool_that_is_as_fast_passes_and_shows_the_worst_ratio() -> None:
    seen = found(lambda number: answers())
    assert (seen.answer, seen.evidence) == (GateAnswer.PASS, "first token p50 55 ms (old 55 ms)")
    assert "whole answer p95" in seen.details


def test_a_pool_that_stays_slow_fails() -> None:
    seen = found(lambda number: answers(times=3))
    assert (seen.answer, seen.reason.startswith("The new pool's time to the first token (p")) == (
        GateAnswer.FAIL,
        True,
    )


def test_a_pool_that_was_slow_for_a_minute_holds() -> None:
    seen = found(lambda number: answers(times=30 if 6 <= number < 9 else 1))
    assert (seen.answer, seen.reason.endswith("; I wait to see whether that lasts.")) == (GateAnswer.HOLD, True)


def test_a_slow_tail_fails_although_the_median_is_as_fast() -> None:
    first = [*SPREAD, *SPREAD, 4.0]
    seen = found(lambda number: answers(each=3) | {"times": {Time.FIRST_TOKEN: buckets(first * 2)}})
    assert (seen.answer, "p95" in seen.reason) == (GateAnswer.FAIL, True)


def test_longer_prompts_may_take_longer_by_as_much() -> None:
    assert found(lambda number: answers(times=3, prompt=600)).answer is GateAnswer.PASS
    assert found(lambda number: answers(times=3, prompt=200)).answer is GateAnswer.FAIL
    assert found(lambda number: answers(times=3, prompt=50)).answer is GateAnswer.FAIL


def test_what_one_pool_alone_shows_of_its_cache_makes_no_prompt_longer() -> None:
    cached = always(**answers(each=27) | {"more": _prompts(27 * 5, looked_up=1000, cached=700, prompt=1000)})
    slow = answers(times=3) | {"more": _prompts(15, prompt=1000)}
    assert found(lambda number: slow, cached).answer is GateAnswer.FAIL


def test_a_cache_that_is_off_does_not_hide_that_prompts_are_longer() -> None:
    off = always(**answers(each=27) | {"more": _prompts(27 * 5, looked_up=0, cached=0, prompt=200)})
    longer = answers(times=3) | {"more": _prompts(15, looked_up=0, cached=0, prompt=600)}
    assert found(lambda number: longer, off).answer is GateAnswer.PASS


def _prompts(requests: int, **tokens: int) -> dict[Count, int]:
    names = {"looked_up": Count.LOOKED_UP, "cached": Count.CACHED, "prompt": Count.PROMPT_TOKENS}
    return {names[name]: requests * number for name, number in tokens.items()}


def test_the_tokens_of_one_answer_count_as_one() -> None:
    """Few answers with many slow tokens each prove nothing."""
    tokens = {Time.PER_TOKEN: buckets([0.2] * 40), Time.FIRST_TOKEN: buckets([0.05]), Time.WHOLE: buckets([1.0])}
    usual = {Time.PER_TOKEN: buckets([0.03] * 4000), Time.WHOLE: buckets([1.0] * 100)}

    def canary(number: int) -> dict[str, Any]:
        return {"good": 1, "times": tokens} if number < 4 else {"good": 1}

    assert found(canary, always(good=100, times=usual)).answer is not GateAnswer.FAIL


def test_few_answers_hold() -> None:
    seen = found(always(good=2))
    assert (seen.answer, seen.reason) == (
        GateAnswer.HOLD,
        "The new pool has had 32 of the 50 requests that a judgement needs (`evidence.requests`).",
    )


DROPPED = "no latency: see whether their histograms are dropped when Prometheus scrapes them."


def test_without_a_latency_that_both_pools_show_it_holds_and_says_what_is_missing() -> None:
    nothing = always(good=15, times={Time.FIRST_TOKEN: {}, Time.WHOLE: {}})
    first, whole = (always(good=15, times={time: {}}) for time in (Time.WHOLE, Time.FIRST_TOKEN))
    empty = always(broken=15)
    pairs = ((nothing, OLD), (OLD, nothing), (nothing, nothing), (first, whole), (empty, OLD), (empty, empty))
    assert [found(*pair).reason for pair in pairs] == [
        f"The new pool's model servers show {DROPPED}",
        f"The old pool's model servers show {DROPPED}",
        f"Both pools' model servers show {DROPPED}",
        "The pools show no latency that can be compared: each shows another one.",
        "The new pool has answered no request yet.",
        "Both pools have answered no request yet.",
    ]


def test_a_pool_that_was_asked_for_nothing_yet_has_dropped_nothing() -> None:
    assert found(always()).reason == (
        "The new pool has had 0 of the 50 requests that a judgement needs (`evidence.requests`)."
    )


def test_answers_that_began_count_where_nobody_shows_those_that_ended() -> None:
    kept = always(good=15, times={Time.WHOLE: {}})
    assert found(kept, always(good=135, times={Time.WHOLE: {}})).answer is GateAnswer.PASS


def test_more_than_three_times_the_work_excuses_no_more_and_the_step_waits() -> None:
    seen = found(lambda number: answers(times=30, prompt=6000))
    assert (seen.answer, seen.reason.partition(". ")[2]) == (
        GateAnswer.HOLD,
        "But its prompts and answers were 30 times as much work. " + UNCLEAR,
    )
    assert found(lambda number: answers(times=3, prompt=6000)).answer is GateAnswer.PASS


def test_longer_prompts_excuse_only_the_part_of_an_answer_before_its_first_token() -> None:
    def slow(prompt: int) -> Found:
        whole = {Time.WHOLE: buckets([3.0] * 15, (0.5, 1, 2, 4, 8, EVER))}
        tokens = {Time.WHOLE: buckets([1.0] * 135, (0.5, 1, 2, 4, 8, EVER))}
        read = {"good": 15, "more": _prompts(15, prompt=prompt)}
        return found(always(**read, times=whole), always(good=135, more=_prompts(135, prompt=100), times=tokens))

    assert [slow(prompt).answer for prompt in (100, 300)] == [GateAnswer.FAIL, GateAnswer.FAIL]


@pytest.mark.parametrize(
    ("keys", "answer"), [(LatencyKeys(p50=5, p95=5), GateAnswer.PASS), (LatencyKeys(), GateAnswer.FAIL)]
)
def test_how_many_times_is_too_slow_is_the_policys(keys: LatencyKeys, answer: GateAnswer) -> None:
    assert found(lambda number: answers(times=3), keys=keys).answer is answer
