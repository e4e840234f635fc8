"""The button that starts the rollout to a pool that was just deployed: on which cards it is, and what it carries."""

from typing import Any

import pytest

from bot.domain.commands.grammar import parse
from bot.domain.operation import OperationPhase
from handlers.operation_card import draw_operation
from handlers.start_button import offer_start
from sandbox.strict_slack.block_kit import faults
from tests.builders import CANARY, STABLE
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
        f"{CANARY} gets 5 % of the requests.",
    )
    assert parse(button["value"]) == parse(f"start {CANARY} 5 namespace=default")
    assert faults(card.text, card.blocks) == []


@pytest.mark.parametrize("change", [{"phase": OperationPhase.RUNNING}, {"kind": "clean"}])
def test_other_cards_do_not(change: dict[str, Any]) -> None:
    assert offer_start(an_operation(**{**DEPLOYED, **change})) == []
