import pytest

from bot.gates.judging.quantiles import above_at_least, above_at_most, bound_at, quantile
from bot.gates.numbers.tally import EVER
from tests.bot.gates.windows import buckets

HUNDRED = buckets([0.03] * 50 + [0.3] * 45 + [9.0] * 5)


@pytest.mark.parametrize(("q", "seconds"), [(0.25, 0.03), (0.5, 0.04), (0.95, 0.5), (0.99, 5.0)])
def test_a_quantile_lies_evenly_in_its_bucket(q: float, seconds: float) -> None:
    assert quantile(HUNDRED, q) == pytest.approx(seconds)


@pytest.mark.parametrize(("q", "bound"), [(0.5, 0.04), (0.95, 0.5), (0.99, 5)])
def test_a_quantile_is_at_most_the_bound_of_its_bucket(q: float, bound: float) -> None:
    assert bound_at(HUNDRED, q) == bound


def test_with_the_same_buckets_both_counts_are_exact() -> None:
    assert above_at_least(HUNDRED, 0.04) == above_at_most(HUNDRED, 0.04) == (50, 100)


def test_with_other_buckets_what_may_be_on_either_side_does_not_count_against_the_new_pool() -> None:
    sglang = buckets([0.3] * 10, bounds=(0.1, 0.4, EVER))
    assert above_at_least(sglang, 0.25) == (0, 10)
    assert above_at_most(sglang, 0.25) == (10, 10)
