"""Each way to break a sandbox works on pods that run too: `check` sees it, and sees that it is mended."""

import pytest

from bot.domain.check import Grade
from sandbox.breaking import WAYS, break_world, mend
from sandbox.dataplane.plane import Plane
from tests.sandbox.test_breaking import SEEN, check
from tests.stage import a_stage


@pytest.mark.parametrize("way", sorted(WAYS))
def test_check_sees_what_is_broken_and_that_it_is_mended(plane: Plane, redis_url: str, way: str) -> None:
    stage = a_stage(plane.server, plane.world, redis_url)
    try:
        break_world(plane.world, way)
        found = check(stage)
    finally:
        mend(plane.world)
    grade, words = SEEN[way]

    assert [words in line.text for line in found.of(grade)] == [True]
    assert check(stage).grade is Grade.PASS
