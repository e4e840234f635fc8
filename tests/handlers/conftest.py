from collections.abc import Iterator

import pytest

from tests.builders import ALICE, BOB, CAROL
from tests.handlers.records import ROOM
from tests.handlers.slack_server import TEAM, SlackServer, slack_server


@pytest.fixture
def slack() -> Iterator[SlackServer]:
    """Return a Slack with three people and a channel that the bot is in."""
    with slack_server() as server:
        server.users.update({user: {"team_id": TEAM} for user in (ALICE, BOB, CAROL)})
        server.channels[ROOM] = {"is_member": True}
        yield server
