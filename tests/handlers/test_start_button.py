"""The button that starts the rollout to a pool that was just deployed: on which cards it is, and what it does."""

import json
from datetime import timedelta
from typing import Any

import pytest

from bot.domain.commands.request import START, Command, StartWords
from bot.domain.errors import StaleError, UsageError
from bot.domain.operation import OperationPhase
from handlers.operation_card import draw_operation
from handlers.start_button import GOOD_FOR, offer_start, read_offer
from sandbox.strict_slack.block_kit import faults
from tests.builders import CANARY, NOON, STABLE
from tests.operations import an_operation

DEPLOYED: dict[str, Any] = {
    "kind": "deploy",
    "subject": CANARY,
    "parameters": {"from": STABLE, "weight": "5"},
    "state": {"do": "follow", "old": ["default", STABLE], "name": CANARY},
    "phase": OperationPhase.DONE,
}


def test_a_finished_deployment_offers_to_start_with_the_weight_that_was_asked_for() -> None:
    card = draw_operation(an_operation(**DEPLOYED), n=1)
    (actions,) = [block for block in card.blocks if block["type"] == "actions"]
    (button,) = actions["elements"]
    assert (button["text"]["text"], button["confirm"]["text"]["text"]) == (
        "Start at 5 %",
        f"{CANARY} gets 5 % of what {STABLE} gets now.",
    )
    words = StartWords(weight=5, stable=STABLE, namespace="default")
    assert read_offer(button["value"], NOON) == Command(verb=START, subject=CANARY, start=words)
    assert faults(card.text, card.blocks) == []


@pytest.mark.parametrize(
    "change", [{"phase": OperationPhase.RUNNING}, {"kind": "clean"}, {"state": {}}, {"parameters": {}}]
)
def test_other_cards_do_not(change: dict[str, Any]) -> None:
    assert offer_start(an_operation(**{**DEPLOYED, **change})) == []


def test_an_old_card_starts_nothing() -> None:
    (button,) = offer_start(an_operation(**DEPLOYED))
    with pytest.raises(StaleError, match=rf"^This offer is more than a day old.*`start {CANARY} 5`"):
        read_offer(button["value"], NOON + GOOD_FOR + timedelta(seconds=1))


GOOD = {"new": CANARY, "old": STABLE, "namespace": "default", "weight": 5, "at": NOON.isoformat()}


@pytest.mark.parametrize(
    "value",
    [
        None,
        "start x 10 approve=none",
        "[]",
        *[json.dumps({**GOOD, **change}) for change in ({"weight": 101}, {"new": "x `y`"}, {"at": "then"})],
        *[json.dumps({key: said for key, said in GOOD.items() if key != left_out}) for left_out in GOOD],
    ],
)
def test_a_value_that_is_no_offer_starts_nothing(value: object) -> None:
    with pytest.raises(UsageError, match=r"^I cannot read this button"):
        read_offer(value, NOON)
