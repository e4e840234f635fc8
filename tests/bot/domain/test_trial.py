"""What the answers of a trial add up to, and what a share says about a weight."""

import pytest

from bot.domain.sentences.trial import of_canary, of_pool, of_split
from bot.domain.trial import Answer, Fit, OfPool, Tally, fit, interval, percentile
from tests.builders import CANARY, STABLE

PODS = {"old-1": STABLE, "old-2": STABLE, "new-1": CANARY}


def good(pod: str, milliseconds: int = 10, text: str = "Paris") -> Answer:
    return Answer(pod=pod, status=200, milliseconds=milliseconds, text=text)


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"),
    [(0, 100, 0.0, 3.7), (8, 100, 4.1, 15.0), (10, 100, 5.5, 17.4), (100, 100, 96.3, 100.0), (0, 0, 0.0, 100.0)],
)
def test_the_interval_of_a_share_is_wilsons(hits: int, of: int, low: float, high: float) -> None:
    assert tuple(round(end, 1) for end in interval(hits, of)) == (low, high)


@pytest.mark.parametrize(
    ("hits", "of", "weight", "found"),
    [
        (8, 100, 10, Fit.WELL),
        (4, 100, 10, Fit.ODD),
        (18, 100, 10, Fit.ODD),
        (0, 100, 10, Fit.NOT),
        (25, 100, 10, Fit.NOT),
        (0, 20, 10, Fit.WELL),
        (0, 20, 0, Fit.WELL),
        (1, 20, 0, Fit.NOT),
        (20, 20, 100, Fit.WELL),
        (19, 20, 100, Fit.NOT),
        (0, 0, 10, Fit.WELL),
    ],
)
def test_a_share_fits_a_weight_unless_chance_cannot_explain_it(hits: int, of: int, weight: int, found: Fit) -> None:
    assert fit(hits, of, weight) is found


@pytest.mark.parametrize(("percent", "time"), [(50, 5), (95, 10), (100, 10), (1, 1)])
def test_a_percentile_is_one_of_the_times(percent: int, time: int) -> None:
    assert percentile([10, 9, 8, 7, 6, 5, 4, 3, 2, 1], percent) == time


def test_answers_are_counted_by_the_pool_of_the_pod_that_gave_them() -> None:
    answers = [
        good("old-1", 10),
        good("old-2", 30),
        good("new-1", 20, text="Lyon"),
        Answer(pod="new-1", status=503),
        Answer(error="connection refused"),
        good("stranger"),
    ]
    tally = Tally().plus(answers[:3], PODS).plus(answers[3:], PODS)
    assert tally == Tally(
        pools={
            STABLE: OfPool(times=(10, 30), sample="Paris"),
            CANARY: OfPool(times=(20,), failures={"503": 1}, sample="Lyon"),
            "": OfPool(times=(10,), failures={"connection refused": 1}, sample="Paris"),
        }
    )
    assert (tally.asked, tally.failed, tally.is_silent) == (6, 2, False)
    assert Tally.loads(tally.dumps()) == tally


@pytest.mark.parametrize(
    ("answer", "is_silent"),
    [(Answer(error="connection refused"), True), (Answer(status=503), False), (good(""), False)],
)
def test_it_is_silent_if_nobody_answers_at_all(answer: Answer, is_silent: bool) -> None:
    assert Tally().plus([answer], PODS).is_silent is is_silent


def test_an_answer_without_a_pod_counts_for_the_pool_whose_mark_it_has() -> None:
    marked = Answer(mark="k", status=200, milliseconds=10, text="Paris")
    assert Tally().plus([marked], {**PODS, "k": CANARY}).pools == {CANARY: OfPool(times=(10,), sample="Paris")}
    assert of_pool("", OfPool(times=(10,))) == "Without a pool's name: 1 request, p50 10 ms, p95 10 ms."


@pytest.mark.parametrize(
    ("pool", "said"),
    [
        (OfPool(times=(10, 20, 30), sample="Paris"), "`new`: 3 requests, p50 20 ms, p95 30 ms. One answer: “Paris”"),
        (OfPool(failures={"500": 1, "503": 2}), "`new`: 3 requests, 3 failed (503: 2, 500: 1)."),
        (
            OfPool(times=(10,), sample="a `b`\nxoxb-123456789-abc"),
            "`new`: 1 request, p50 10 ms, p95 10 ms. One answer: “a b ***”",
        ),
    ],
)
def test_what_a_pool_has_answered_is_one_sentence(pool: OfPool, said: str) -> None:
    assert of_pool("new", pool) == said


def a_tally(old: int, new: int, failures: int = 0) -> Tally:
    answers = [*[good("old-1")] * old, *[good("new-1")] * new, *[Answer(status=503)] * failures]
    return Tally().plus(answers, PODS)


@pytest.mark.parametrize(
    ("tally", "weight", "said"),
    [
        (
            a_tally(92, 8),
            10,
            "100 requests sent, none failed. 8 of 100 went to the new pool, 8 % (95 % interval 4.1 % to 15 %). "
            "That fits the 10 % on the route.",
        ),
        (
            a_tally(100, 0),
            10,
            "100 requests sent, none failed. 0 of 100 went to the new pool, 0 % (95 % interval 0 % to 3.7 %): "
            "that is not the 10 % on the route.",
        ),
        (
            a_tally(10, 0, failures=10),
            50,
            "20 requests sent, 10 failed (503: 10). 10 of 20 came back without a pod's name (`x-inference-pod`), so "
            "the split is not known.",
        ),
        (
            a_tally(96, 4),
            10,
            "100 requests sent, none failed. 4 of 100 went to the new pool, 4 % (95 % interval 1.6 % to 9.8 %). "
            "The route says 10 %: one trial in twenty is that far off by chance, so try again.",
        ),
        (
            Tally().plus([good("somebody")], PODS),
            10,
            "1 request sent, none failed. 1 of 1 came back without a pod's name (`x-inference-pod`), so the split is "
            "not known.",
        ),
    ],
)
def test_the_split_is_told_with_what_it_can_prove(tally: Tally, weight: int, said: str) -> None:
    assert of_split(tally, STABLE, CANARY, weight) == said


@pytest.mark.parametrize(
    ("tally", "said"),
    [
        (a_tally(0, 3), "3 requests sent, none failed. No user's request was touched."),
        (
            a_tally(1, 3),
            "4 requests sent, none failed. 1 of 4 did not come through the trial's own route, so they say nothing "
            f"about `{CANARY}`.",
        ),
    ],
)
def test_the_canary_alone_is_told_too(tally: Tally, said: str) -> None:
    assert of_canary(tally, CANARY) == said
