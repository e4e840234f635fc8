"""The button that deletes the old pool: on which cards it is."""

from dataclasses import replace

import pytest

from bot.domain.gate import Readiness
from bot.domain.rollout import Entry, Phase
from handlers.buttons import Press
from handlers.cards import draw
from handlers.clean_button import offer_clean
from sandbox.strict_slack.block_kit import faults
from tests.builders import NOON, STABLE
from tests.handlers.records import ANYBODY, an_entry, in_phase

FINISHED = an_entry(in_phase(Phase.FINISHED))
SHARED = Readiness(canary_ready=1, canary_of=1, stable_ready=1, stable_of=1, at=NOON, stable_routes=("default/other",))


def test_a_finished_card_offers_to_delete_the_old_pool() -> None:
    (button,) = offer_clean(FINISHED)
    assert button == {
        "type": "button",
        "action_id": "operation_clean",
        "text": {"type": "plain_text", "text": "Delete old pool…", "emoji": False},
        "value": Press(FINISHED.rollout.id, FINISHED.rollout.turn).dumps(),
        "accessibility_label": f"Delete old pool…: {STABLE}",
    }
    card = draw(FINISHED, ANYBODY, n=1, offers=[button])
    (actions,) = [block for block in card.blocks if block["type"] == "actions"]
    assert [element["action_id"] for element in actions["elements"]][-1] == "operation_clean"
    assert faults(card.text, card.blocks) == []


@pytest.mark.parametrize(
    "entry",
    [
        an_entry(in_phase(Phase.PROMOTED)),
        an_entry(in_phase(Phase.ROLLED_BACK)),
        an_entry(in_phase(Phase.CLEANED)),
        replace(FINISHED, applied=None),
        replace(FINISHED, readiness=SHARED),
    ],
)
def test_other_cards_do_not(entry: Entry) -> None:
    assert offer_clean(entry) == []
