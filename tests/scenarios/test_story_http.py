"""The bot without Socket Mode: Slack's signed requests over HTTP, and everybody else's."""

import time

from tests.builders import STABLE
from tests.scenarios.play import Play
from tests.scenarios.signed import a_command, post, signed


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
