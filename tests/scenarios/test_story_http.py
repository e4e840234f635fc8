"""The bot without Socket Mode: Slack's signed requests over HTTP, and everybody else's."""

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from sandbox.process import free_ports
from sandbox.slack import local_slack
from sandbox.workplace import workplace
from tests.builders import STABLE
from tests.scenarios.play import Play
from tests.scenarios.signed import a_command, post, signed


@pytest.fixture
def http(play: Play) -> Iterator[Play]:
    """Return a play whose Slack sends signed requests to a bot that runs."""
    address = f"127.0.0.1:{free_ports(1)[0]}"
    with (
        workplace(prefix="tests") as place,
        local_slack(place, mode="http", request_url=f"http://{address}/slack/events") as slack,
    ):
        play = replace(play, slack=slack)  # the list of bots is the same one, so the other play ends them
        play.bot(address=address, mode="http")
        yield play


def test_signed_requests_do_what_they_say_and_all_others_are_401(http: Play) -> None:
    http.start()
    http.see("25 %, wants 50 %")
    address, body, now = http.bots[0].address, a_command("rollback"), time.time()
    wrong: list[dict[str, str]] = [
        {},
        signed(body, "another secret"),
        signed(body, at=now - 600),
        {**signed(body), "X-Slack-Request-Timestamp": "now"},
    ]
    assert [post(address, body, headers) for headers in wrong] == [401, 401, 401, 401]
    assert http.title() == "25 %, wants 50 %"
    http.press("rollback")
    http.see("rolled back")
    assert http.world.weights() == [(STABLE, 1)]
    assert post(address, body, signed(body)) == 200
