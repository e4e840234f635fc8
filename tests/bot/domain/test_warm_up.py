"""When a new pool is warm."""

import pytest

from bot.domain.warm_up import WarmUpRules, is_flat


@pytest.mark.parametrize(
    ("rounds", "flat"),
    [
        ([], False),
        ([100, 100], False),
        ([100, 100, 100], True),
        ([4000, 900, 400], False),
        ([4000, 400, 400], True),
        ([4000, 400, 500], True),
        ([4000, 400, 501], False),
        ([400, 800, 800], False),  # both are slow: something has changed since the first
        ([4000, 400, 800, 410, 405], True),
        ([300, 310, 200, 320, 305, 280, 310, 300, 300, 300], True),  # one of many is fast by chance
        ([12, 10, 15], True),  # a few milliseconds say nothing
        ([12, 10, 18], False),
    ],
)
def test_it_is_when_two_rounds_in_a_row_are_about_as_fast_as_the_fastest(rounds: list[int], flat: bool) -> None:
    assert is_flat(rounds, WarmUpRules(flat=25)) is flat
