"""Socket Mode where Slack is slow to open the connection."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from handlers.app import bolt_app, web_client
from handlers.socket import Socket
from sandbox.slack import APP_TOKEN, BOT_TOKEN


@contextmanager
def dialled() -> Iterator[tuple[Socket, bytes]]:
    """Yield a Socket Mode whose session Slack has named and not opened yet, and the first word that Slack hears."""
    with socket.create_server(("127.0.0.1", 0)) as slack:
        address = f"127.0.0.1:{slack.getsockname()[1]}"
        mode = Socket(bolt_app(web_client(BOT_TOKEN, base_url=f"http://{address}/api/")), APP_TOKEN)
        mode.client.wss_uri = f"ws://{address}/"
        mode.connect()
        first, _ = slack.accept()
        with first:
            yield mode, first.recv(4)
    mode.close()  # Slack has gone by now, so this waits for nothing


def test_a_new_session_is_dialled_before_another_one_is_asked_for() -> None:
    with dialled() as (_, heard):
        assert heard == b"GET "


def test_a_session_that_slack_has_not_opened_yet_is_no_connection() -> None:
    with dialled() as (mode, _):
        assert mode.pong_age() is None
