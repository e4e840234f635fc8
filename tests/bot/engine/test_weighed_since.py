"""Since when the route has its weights: what gates judge begins there."""

from datetime import datetime

from tests.builders import BOB
from tests.stage import Stage


def test_it_moves_with_the_weights_and_with_no_other_decision(stage: Stage) -> None:
    def since() -> tuple[int, datetime]:
        applied = stage.load(rollout_id).applied
        assert applied is not None
        return applied.weight, applied.weighed_since

    begun = stage.clock.now()
    rollout_id = stage.started(10).rollout.id
    assert since() == (10, begun)
    stage.clock.forward(minutes=3)
    stage.say("pause", by=BOB, reason="lunch")
    assert since() == (10, begun)
    stage.clock.forward(minutes=1)
    stage.say("resume", by=BOB)
    assert since() == (10, begun)
    stage.clock.forward(minutes=1)
    stage.say("advance", by=BOB)
    assert since() == (25, stage.clock.now())
