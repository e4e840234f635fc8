"""One more connection to Slack, for the count in its ``hello``. What Slack sends on it meanwhile is taken in too."""

import json
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import websocket
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse

log = logging.getLogger(__name__)

WITHIN: Final = 5.0
"""Seconds that Slack has for each message."""


class Extra:
    """The connection, as far as an answer needs it."""

    logger = logging.getLogger("slack_sdk.socket_mode")

    def __init__(self, session: websocket.WebSocket) -> None:
        self._session = session

    def send_socket_mode_response(self, response: SocketModeResponse) -> None:
        """Answer a request. After we have begun to close, nothing can be answered; the request is done all the same."""
        with suppress(websocket.WebSocketException, OSError):
            self._session.send(json.dumps(response.to_dict()))


def count(url: str, handle: Callable[[Extra, SocketModeRequest], None]) -> int | None:
    """Open a connection, read Slack's count, and close it; None if Slack does not count.

    Raises OSError, WebSocketException, ValueError.
    """
    counted: int | None = None
    session = websocket.create_connection(url, timeout=WITHIN)
    try:
        while message := _next(session):
            if message.get("type") == "hello":
                counted = connections(message)
                session.send_close()
            elif request := SocketModeRequest.from_dict(message):
                handle(Extra(session), request)
    except (websocket.WebSocketException, OSError):
        if counted is None:
            raise
    finally:
        session.shutdown()  # type: ignore[no-untyped-call]  # its `close` does nothing once we have begun to close
    return counted


def connections(hello: dict[str, Any]) -> int | None:
    """Return how many connections a ``hello`` counts."""
    counted = hello.get("num_connections")
    return counted if isinstance(counted, int) and not isinstance(counted, bool) and counted > 0 else None


def _next(session: websocket.WebSocket) -> dict[str, Any] | None:
    """Return the next message; None when Slack has closed as well."""
    code, data = session.recv_data()
    if code == websocket.ABNF.OPCODE_CLOSE:
        return None
    message = json.loads(data)
    return message if isinstance(message, dict) else {}
