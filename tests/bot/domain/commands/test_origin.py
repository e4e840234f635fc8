import pytest

from bot.domain.commands.origin import Origin, Surface, in_slack
from bot.domain.decisions.start import require_channel
from bot.domain.errors import UserError

ROOM = "C0INFER001"


@pytest.mark.parametrize(
    ("channel", "name", "origin"),
    [
        (ROOM, "inference", Origin(surface=Surface.CHANNEL, channel=ROOM)),
        ("G0OLD00001", "privategroup", Origin(surface=Surface.CHANNEL, channel="G0OLD00001")),
        ("D0ALICE001", "directmessage", Origin(surface=Surface.DIRECT)),
        ("C0GROUP001", "mpdm-alice--bob-1", Origin(surface=Surface.DIRECT)),
        ("", "", Origin(surface=Surface.HOME)),
    ],
)
def test_what_slack_says_of_a_place_is_its_origin(channel: str, name: str, origin: Origin) -> None:
    assert in_slack(channel, name) == origin


def test_cards_are_seen_in_their_channel_alone() -> None:
    origins = [in_slack(ROOM), in_slack("D0ALICE001"), Origin(surface=Surface.TERMINAL, channel=ROOM), in_slack("")]
    assert [origin.sees_cards_of(ROOM) for origin in origins] == [True, False, False, False]
    assert not any(origin.sees_cards_of("") for origin in origins)


@pytest.mark.parametrize(
    ("origin", "where"), [(in_slack("D0ALICE001"), "in a direct message"), (in_slack(""), "from the home tab")]
)
def test_a_start_needs_a_channel_for_its_card(origin: Origin, where: str) -> None:
    with pytest.raises(UserError) as refused:
        require_channel("start", origin)
    assert str(refused.value) == (
        f"You can't `start` {where}: its card needs a channel. Type it where the team sees it."
    )


@pytest.mark.parametrize("origin", [in_slack(ROOM), Origin(surface=Surface.TERMINAL)])
def test_a_channel_and_a_terminal_will_do(origin: Origin) -> None:
    require_channel("start", origin)
