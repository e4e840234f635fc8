"""A bot in Socket Mode whose Slack ends and starts again: its whole log."""

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from urllib.parse import urlsplit

from sandbox.process import wait_until
from sandbox.slack import local_slack
from sandbox.workplace import workplace
from tests.scenarios.play import Bot, Play

TRIES = 6


@contextmanager
def refusing(url: str) -> Iterator[list[str]]:
    """Take every connection in Slack's place, end it at once, and note who came."""
    came: list[str] = []
    address = urlsplit(url)
    with closing(socket.create_server((str(address.hostname), address.port or 0))) as server:

        def refuse() -> None:
            with suppress(OSError):
                while True:
                    connection, peer = server.accept()
                    connection.close()
                    came.append(str(peer))

        thread = threading.Thread(target=refuse, daemon=True)
        thread.start()
        yield came
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def said(bot: Bot) -> list[str]:
    """Return what the bot has logged of Slack, and every warning and error; without times and reasons."""
    lines = [line.split(" ", 1)[1] for line in bot.log().splitlines()]
    told = [line for line in lines if not line.startswith("INFO") or "handlers." in line]
    return [re.sub(r"[(]\w+[)]", "(why)", re.sub(r"[0-9]+", "N", line)).split(": ", 1)[1] for line in told]


def test_an_outage_of_slack_is_one_line_in_the_log_and_its_end_another(play: Play) -> None:
    with workplace(prefix="tests") as place, local_slack(place) as slack:
        bot = replace(play, slack=slack).bot()
        slack.server.kill()
        with refusing(slack.url) as came:
            wait_until(f"{TRIES} tries", lambda: len(came) >= TRIES, seconds=60)
        slack.server.start()
        wait_until("the end of the outage", lambda: "Connected to Slack again" in bot.log(), seconds=30)
        assert said(bot) == [
            "Slack cannot be reached (why): commands and clicks do not arrive. I keep trying.",
            "Connected to Slack again, after N s.",
        ]
