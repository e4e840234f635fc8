import json
from typing import Any

import pytest

from bot.domain.commands.origin import Origin, Surface, in_slack
from bot.domain.errors import UsageError
from handlers.buttons import Press
from handlers.views.place import Place, read_place

ROOM = "C0INFER001"
ADDRESS = "https://hooks.slack.com/actions/T1/2/3"


@pytest.mark.parametrize(
    "place",
    [
        Place(origin=in_slack(ROOM), reply_to=ADDRESS, press=Press("r-7f3a2c01", 4)),
        Place(origin=in_slack("D0ALICE001"), reply_to=ADDRESS),
        Place(origin=Origin(surface=Surface.HOME, channel=ROOM)),
    ],
)
def test_it_is_read_as_it_was_written(place: Place) -> None:
    assert read_place(place.dumps()) == place


def test_a_dialog_that_the_version_before_has_opened_is_still_read() -> None:
    before = {"id": "r-7f3a2c01", "turn": 4, "channel": ROOM, "reply_to": ADDRESS}
    place = Place(origin=in_slack(ROOM), reply_to=ADDRESS, press=Press("r-7f3a2c01", 4))
    assert read_place(json.dumps(before)) == place


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        7,
        "",
        "[]",
        "null",
        "[" * 3000,
        '{"surface":"channel","channel":"C1","reply_to":"' + "x" * 3000 + '"}',
        '{"surface":"terminal","channel":"C1"}',
        '{"surface":["channel"],"channel":"C1"}',
        '{"surface":"channel"}',
        '{"surface":"channel","channel":["C1"]}',
    ],
)
def test_a_form_that_is_not_ours_is_refused(metadata: Any) -> None:
    with pytest.raises(UsageError, match="I cannot read this form"):
        read_place(metadata)


@pytest.mark.parametrize("press", [{"id": "r"}, {"turn": 1}, {"id": ["r"], "turn": 1}, {"id": "r", "turn": True}])
def test_half_a_button_is_refused(press: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="I cannot read this button"):
        read_place(json.dumps({"surface": "channel", "channel": ROOM, **press}))
