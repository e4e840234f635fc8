"""An Enterprise organisation: who may roll back and promote, where Slack leaves a person's workspace out."""

from collections.abc import Iterator
from typing import Any

import pytest

from bot.domain.rollout import Phase
from sandbox.strict_slack import StrictSlack, strict_slack
from tests.scenarios.front import Front
from tests.stage import Stage

UNKNOWN = "Slack does not say which workspace or organisation you are from, so you cannot run rollouts."
NEXT = "Ask a full member of this workspace."
PEOPLE: dict[str, dict[str, Any]] = {
    "U0COLLEAG1": {"enterprise_user": {"enterprise_id": "E1"}},
    "U0OTHERS01": {"enterprise_user": {"enterprise_id": "E2"}},
    "U0STRANGE1": {"is_stranger": True},
    "U0NOBODY01": {},
}


@pytest.fixture
def slack() -> Iterator[StrictSlack]:
    with strict_slack() as running:
        running.enterprise = "E1"
        running.users |= PEOPLE
        yield running


@pytest.mark.parametrize(
    ("verb", "phase"), [("promote", Phase.PROMOTED), ("rollback", Phase.ROLLED_BACK)], ids=["promote", "roll back"]
)
def test_a_colleague_is_admitted_and_strangers_are_refused_in_words(
    stage: Stage, slack: StrictSlack, verb: str, phase: Phase
) -> None:
    entry = stage.started(10)
    rollout, weights = entry.rollout, stage.world.weights()
    told: dict[str, list[str]] = {}
    for user in ("U0OTHERS01", "U0STRANGE1", "U0NOBODY01"):
        slack.private.clear()
        told[user] = Front(stage, slack).presses(verb, turn=rollout.turn, user=user)
    assert told == {
        "U0OTHERS01": [f"People from another workspace cannot run rollouts. {NEXT}"],
        "U0STRANGE1": [f"People from outside this workspace cannot run rollouts. {NEXT}"],
        "U0NOBODY01": [f"{UNKNOWN} {NEXT}"],
    }
    assert (stage.load(rollout.id).rollout, stage.world.weights()) == (rollout, weights)
    Front(stage, slack).presses(verb, turn=rollout.turn, user="U0COLLEAG1")
    assert stage.load(rollout.id).rollout.phase is phase
