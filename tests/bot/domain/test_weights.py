import pytest

from bot.domain.weights import filled


@pytest.mark.parametrize("cells", [12, 40])
def test_a_bar_is_empty_only_at_0_and_full_only_at_100(cells: int) -> None:
    assert [filled(percent, cells) for percent in (0, 1, 50, 99, 100)] == [0, 1, cells // 2, cells - 1, cells]
