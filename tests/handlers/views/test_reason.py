"""The dialog that asks for a reason."""

import pytest

from bot.domain.commands.origin import in_slack
from bot.domain.errors import StaleError
from bot.domain.rollout import Phase
from handlers.buttons import Press
from handlers.views.place import Place
from handlers.views.reason import reason_modals
from handlers.views.view import Opening
from tests.builders import ALICE
from tests.handlers.fakes import FakeEngine
from tests.handlers.records import ROOM, an_entry, in_phase


def test_nobody_writes_a_reason_for_a_step_that_is_over() -> None:
    entry, engine = an_entry(in_phase(Phase.AWAITING_APPROVAL)), FakeEngine()
    engine.known = [entry]
    (reject,) = (modal for modal in reason_modals() if modal.callback_id.endswith("reject"))
    press = Press(entry.rollout.id, entry.rollout.turn - 1)
    place = Place(origin=in_slack(ROOM), press=press)
    with pytest.raises(StaleError, match="The rollout has moved on since that button was drawn"):
        reject.draw(Opening(by=ALICE, place=place, rollouts=engine))
