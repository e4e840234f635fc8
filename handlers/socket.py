"""Socket Mode: a connection that notices within seconds when nobody is at the other end.

websocket-client reconnects half a second after a closed connection; with ping timeouts, which the SDK does not
pass on, it also finds the half-open ones. The SDK's builtin client is deaf for up to a minute instead.
"""

import logging
import time
from collections.abc import Callable
from http.client import HTTPException
from typing import Any, cast

from slack_bolt import App, BoltResponse
from slack_bolt.adapter.socket_mode.base_handler import BaseSocketModeHandler
from slack_bolt.adapter.socket_mode.internals import send_response
from slack_sdk import WebClient
from slack_sdk.errors import SlackClientError
from slack_sdk.socket_mode.client import BaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.websocket_client import SocketModeClient
from websocket import WebSocketApp, WebSocketException

from handlers.connection_log import ConnectionLog
from handlers.look import Extra, connections, count
from handlers.payload import MalformedError, hear

log = logging.getLogger(__name__)

sdk_log = logging.getLogger("slack_sdk.socket_mode")
"""The SDK logs every step at INFO."""

_TRIES = frozenset({"on_error", "issue_new_wss_url", "_monitor_current_session"})
"""Where the SDK logs that there is no connection: at each try, and with the address. ``ConnectionLog`` tells it."""

sdk_log.addFilter(lambda record: record.funcName not in _TRIES)
logging.getLogger("websocket").propagate = False  # it logs the same once more

CONCURRENCY = 32
PING_EVERY = 5
PONG_WITHIN = 3


class Client(SocketModeClient):
    """The SDK's client, with ping timeouts and the session id that its error path asks for."""

    def __init__(
        self, app_token: str, connection: ConnectionLog, web_client: WebClient, opened: Callable[[], None]
    ) -> None:
        self._connection, self._tell = connection, opened
        self._opened: WebSocketApp | None = None
        self._over: WebSocketApp | None = None
        super().__init__(
            app_token,
            logger=sdk_log,
            web_client=web_client,
            ping_interval=PING_EVERY,
            concurrency=CONCURRENCY,
            on_open_listeners=[self._opens],
            on_error_listeners=[self._breaks],
        )

    def issue_new_wss_url(self) -> str:
        try:
            return super().issue_new_wss_url()
        except Exception as error:
            self._failed(error)
            raise

    def _opens(self, session: WebSocketApp) -> None:
        self._opened = session
        self._connection.works()
        self._tell()

    def _breaks(self, session: WebSocketApp, error: Exception) -> None:
        """Count a failed try; the end of an open connection is no outage unless the next try fails."""
        if session is self.current_session and session is not self._opened:
            self._failed(error)

    def _failed(self, error: BaseException) -> None:
        if not self.closed:
            self._connection.failed(error)

    def session_id(self) -> str:
        return hex(id(self.current_session))

    def _run_current_session(self) -> None:
        session = self.current_session
        if session is None:
            return
        try:
            session.run_forever(
                ping_interval=PING_EVERY,
                ping_timeout=PONG_WITHIN,
                http_proxy_host=self.http_proxy_host,
                http_proxy_port=self.http_proxy_port,
                http_proxy_auth=self.http_proxy_auth,
                proxy_type=self.proxy_type,
            )
        except Exception as error:
            self._failed(error)
            session.close()
        finally:
            self._over = session

    def _monitor_current_session(self) -> None:
        """Ask for another session if this one is over. The SDK also does so if this one is about to be dialled,
        and so it closed a session now and then that Slack had just begun to use.
        """
        if self.current_session in (None, self._over):
            super()._monitor_current_session()  # type: ignore[no-untyped-call]


class Socket(BaseSocketModeHandler):
    """A running Socket Mode connection; ``connect`` returns at once and keeps trying.

    ``opened`` is called when it is open, and ``counted`` with Slack's count of all connections of the app.
    """

    def __init__(
        self,
        app: App,
        app_token: str,
        *,
        opened: Callable[[], None] = lambda: None,
        counted: Callable[[int], None] = lambda said: None,
    ) -> None:
        self.app, self._counted, self._log = app, counted, ConnectionLog()
        self.client: Client = Client(app_token, self._log, app.client, opened)
        self.client.message_listeners.append(self._hello)
        self.client.socket_mode_request_listeners.append(self.handle)

    def _hello(self, client: BaseSocketModeClient, message: dict[str, Any], raw: str | None) -> None:
        if message.get("type") == "hello" and (counted := connections(message)) is not None:
            self._counted(counted)

    def look(self) -> int | None:
        """Return how many connections of the app Slack counts on one more; None if it does not say."""
        try:
            answer = self.app.client.apps_connections_open(app_token=self.client.app_token)
            return count(str(answer["url"]), self.handle)
        except (OSError, HTTPException, SlackClientError, WebSocketException, ValueError) as error:
            log.debug("Slack did not count its connections: %s", error)
            return None

    def handle(self, client: "BaseSocketModeClient | Extra", req: SocketModeRequest) -> None:
        started = time.time()
        try:
            answer = hear(self.app, req.payload)
        except MalformedError as error:
            log.warning("A request from Slack cannot be read: %s.", error)
            answer = BoltResponse(status=200)  # so that Slack does not send it again
        send_response(cast(BaseSocketModeClient, client), req, answer, started)

    def connect(self) -> None:
        """Connect, and from then on reconnect by itself."""
        self.client.connect()

    def close(self) -> None:
        """Take no more requests, answer the others, and disconnect: an answer needs the connection."""
        self.client.closed = True
        self.client.message_queue.put(None)  # wakes the thread that takes
        self.client.message_processor.shutdown()  # type: ignore[no-untyped-call]
        self.client.message_workers.shutdown(wait=True)
        self.client.close()

    @property
    def refusal(self) -> str:
        """Slack's no to the app's token, as a sentence; empty if it has said none."""
        return self._log.refusal

    def is_connected(self) -> bool:
        """Say whether Slack surely counts our connection."""
        age = self.pong_age()
        return age is not None and age <= PING_EVERY + PONG_WITHIN

    def pong_age(self) -> float | None:
        """Return seconds since the other end last answered a ping; None if it is not connected."""
        session = self.client.current_session
        sock = session.sock if session else None
        if session is None or sock is None or not sock.connected:  # the socket exists before anybody has answered
            return None
        return time.time() - session.last_pong_tm if session.last_pong_tm else 0.0
