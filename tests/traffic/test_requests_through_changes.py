"""No request fails and no stream is cut while weights change."""

from collections.abc import Callable, Mapping

from sandbox.dataplane.plane import Plane
from sandbox.load.ledger import failures, shares
from sandbox.load.running import Load
from sandbox.world import CANARY, STABLE

STEPS = (10, 25, 50, 100, 0, 50, 0)


def test_through_every_step_and_back_nothing_fails(
    users: Load, plane: Plane, split: Callable[[Mapping[str, int]], None]
) -> None:
    for weight in STEPS:
        split({STABLE: 100 - weight, CANARY: weight})
        users.wait_for(10)

    records = users.stop()

    assert len(records) >= 10 * len(STEPS)
    assert failures(records) == {}
    assert set(shares(records)) == {STABLE, CANARY}
    assert {record.kind for record in records} >= {"short", "long prompt", "stream"}
