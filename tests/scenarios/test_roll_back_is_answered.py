"""Whoever types a roll back is told when it is done; whoever presses the button looks at the card."""

from collections.abc import Iterator

import pytest

from bot.domain.errors import ClusterError
from sandbox.strict_slack import strict_slack
from tests.builders import CANARY, STABLE
from tests.scenarios.front import Front
from tests.stage import Stage


@pytest.fixture
def front(stage: Stage) -> Iterator[Front]:
    with strict_slack() as slack:
        front = Front(stage, slack)
        yield front
        front.handlers.close()


def _away() -> None:
    raise ClusterError("The API server did not answer.")


@pytest.mark.parametrize("text", ["rollback", "rollback errors doubled"])
def test_a_typed_roll_back_is_answered_when_it_is_on_the_route(front: Front, text: str) -> None:
    front.stage.started(10)
    assert front.types(text) == [f"Done: `{CANARY}` is rolled back and all traffic goes to `{STABLE}` again."]
    assert front.stage.world.weights() == [(STABLE, 1)]


def test_a_typed_roll_back_that_cannot_be_written_yet_is_said_to_be_tried_again(front: Front) -> None:
    front.stage.started(10)
    for method in ("read", "write"):
        front.stage.routes.always(method, _away)
    (said,) = front.types("rollback")
    assert said.startswith("The API server did not answer. Your request is kept and will be tried again (ref ")


def test_a_pressed_roll_back_is_answered_by_the_card_alone(front: Front) -> None:
    turn = front.stage.started(10).rollout.turn
    assert front.presses("rollback", turn=turn) == []
    assert front.stage.world.weights() == [(STABLE, 1)]
