from collections.abc import Sequence

import pytest

from bot.gates.judging.shares import Bar, Judged, Share, Shares, chance_of, chance_of_share, judge

BAR = Bar(points=0.5, times=2.0, at_once=25.0)

Minute = tuple[int, int, int, int]
"""Bad and all requests of the new pool, then of the old one."""


def add_up(slices: Sequence[Minute]) -> Shares:
    bad, of, old_bad, old = (sum(column) for column in zip(*slices, strict=True))
    return Shares(stable=Share(old_bad, old), canary=Share(bad, of))


def judged(slices: Sequence[Minute], *, forgiven: int = 4, bar: Bar = BAR) -> Judged:
    return judge(slices, add_up, bar, forgiven)


def in_turn(bad: Sequence[int], *, of: int = 15, old_bad: int = 0, old: int = 135) -> Sequence[Minute]:
    return [(each, of, old_bad, old) for each in bad]


@pytest.mark.parametrize(
    ("bad", "verdict"),
    [
        ([0] * 16, Judged.AS_GOOD),
        ([1] + [0] * 15, Judged.AS_GOOD),
        ([1] * 16, Judged.WORSE),
        ([3] * 16, Judged.WORSE),
        # All of it within the minute that is forgiven, wherever the window's middle is.
        ([0] * 6 + [10] * 4 + [0] * 6, Judged.DOUBTFUL),
        ([0] * 12 + [10] * 4, Judged.DOUBTFUL),
        # It lasted longer than a minute, and is over: the second half is good.
        ([4] * 8 + [0] * 8, Judged.DOUBTFUL),
        # So many that nobody waits.
        ([5] * 3 + [15] * 3, Judged.WORSE),
    ],
    ids=[
        "none",
        "one",
        "few, always",
        "many, always",
        "a minute across the middle",
        "the last minute",
        "over",
        "gross",
    ],
)
def test_worse_is_what_chance_does_not_explain_and_what_lasts(bad: Sequence[int], verdict: Judged) -> None:
    assert judged(in_turn(bad)) is verdict


def test_a_share_that_the_old_pool_has_too_is_as_good() -> None:
    assert judged(in_turn([2] * 16, old_bad=18)) is Judged.AS_GOOD


def test_a_difference_below_the_bar_is_as_good_however_sure_it_is() -> None:
    assert judged(in_turn([40] * 16, of=10_000, old_bad=100, old=100_000)) is Judged.AS_GOOD


def test_without_a_bar_for_gross_effects_even_all_bad_requests_have_to_last() -> None:
    bar = Bar(points=0.5, times=2.0)
    assert judged(in_turn([15] * 4), bar=bar) is Judged.DOUBTFUL
    assert judged(in_turn([15] * 8), bar=bar) is Judged.WORSE


def test_the_chance_is_that_of_fishers_exact_test() -> None:
    # Fisher's own example: of four cups with the milk first, the lady names three.
    assert chance_of(Shares(stable=Share(1, 4), canary=Share(3, 4))) == pytest.approx(17 / 70)


def test_the_chance_of_nothing_is_certainty() -> None:
    assert chance_of(Shares(stable=Share(0, 0), canary=Share(0, 0))) == 1.0
    assert chance_of_share(0, 0, 0.1) == 1.0


def test_the_chance_of_a_share_is_that_of_the_exact_binomial_test() -> None:
    assert chance_of_share(0, 10, 0.5) == pytest.approx(2 / 1024)
