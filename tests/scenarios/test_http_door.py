"""A running bot in HTTP mode, and people who are not Slack: nothing of theirs is done, and nobody waits for them."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import urllib3

from handlers.web.server import MOST
from tests.scenarios.play import Bot, Play
from tests.scenarios.signed import a_command, post, signed

LATIN = "v0=\xe9"
REFUSED = "Refused requests without Slack's signature: 1, the last from 127.0.0.1."


@pytest.fixture
def bot(http: Play) -> Bot:
    """Return a bot in HTTP mode that is ready."""
    return http.bots[0]


@pytest.fixture
def elsewhere() -> Iterator[socket.socket]:
    """Return a socket that listens, to see whether the bot calls there."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        yield listening


def is_called(elsewhere: socket.socket) -> bool:
    try:
        elsewhere.accept()[0].close()
    except BlockingIOError:
        return False
    return True


def of(elsewhere: socket.socket) -> str:
    return f"http://127.0.0.1:{elsewhere.getsockname()[1]}/commands/1"


def silent(stack: ExitStack, address: str, count: int) -> None:
    """Open connections that send half a request."""
    host, port = address.split(":")
    for _ in range(count):
        connection = stack.enter_context(socket.create_connection((host, int(port)), timeout=5))
        connection.sendall(b"POST /slack/events HTTP/1.1\r\nContent-Length: 100\r\n")


def probed(bot: Bot, path: str) -> int:
    return urllib3.request("GET", f"http://{bot.probes}/{path}", timeout=3, retries=False).status


def test_an_unsigned_request_makes_the_bot_call_nobody_and_log_one_line(bot: Bot, elsewhere: socket.socket) -> None:
    body = a_command("rollback", reply_to=of(elsewhere))
    for _ in range(50):
        assert post(bot.address, body, {**signed(body), "X-Slack-Signature": LATIN}) == 401
    assert post(bot.address, "a." * 250_000, {}) == 401
    assert [record.split(": ", 1)[1].strip() for record in bot.records() if "signature" in record] == [REFUSED]
    assert max(map(len, bot.records())) < 300
    assert not is_called(elsewhere)


def test_a_signed_request_that_wants_its_answer_elsewhere_gets_none(bot: Bot, elsewhere: socket.socket) -> None:
    body = a_command("rollback nobody", reply_to=of(elsewhere))
    assert post(bot.address, body, signed(body)) == 200
    bot.wait_log("A private answer was not sent: its address is not Slack's.")
    assert not is_called(elsewhere)


def test_slow_clients_keep_neither_slack_nor_the_kubelet_waiting(bot: Bot) -> None:
    body = a_command("status")
    with ExitStack() as stack:
        silent(stack, bot.address, MOST + 50)
        silent(stack, bot.probes, MOST + 50)
        assert post(bot.address, body, signed(body)) == 200
        assert [probed(bot, path) for path in ("healthz", "readyz", "metrics")] == [200, 200, 200]


@pytest.mark.parametrize("path", ["healthz", "readyz", "metrics"])
def test_where_slack_gets_in_nobody_learns_how_the_bot_is(bot: Bot, path: str) -> None:
    assert urllib3.request("GET", f"http://{bot.address}/{path}", retries=False).status == 404
