"""A web server whose clients cannot take it away from each other.

It builds on waitress and adds a deadline for the whole request, a place for the newest connection when there are too
many, and a refusal of requests whose length two servers could read differently. It answers one request a connection:
no proxy can send the next one while we close.
"""

import re
import socket
import time
from typing import TYPE_CHECKING, Any, Final

from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.server import TcpWSGIServer

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

LARGEST_BODY: Final = 1024 * 1024
LARGEST_HEADER: Final = 16 * 1024
PATIENCE: Final = 5.0
"""Seconds in which a client must have sent its whole request, and in which it must have taken the answer."""

MOST: Final = 256
"""Connections at once; one more closes the oldest that has not sent its request, of the client that has the most."""

_LENGTH: Final = re.compile(rb"[0-9]{1,10}\Z")


def listen(
    application: "WSGIApplication", host: str, port: int, *, threads: int, patience: float = PATIENCE, most: int = MOST
) -> "Server":
    """Return a server that listens; its ``run`` serves. Raises OSError if it may not listen there."""
    options = Adjustments(
        host=host,
        port=port,
        threads=threads,
        ident="rolloutbot",
        max_request_header_size=LARGEST_HEADER,
        max_request_body_size=LARGEST_BODY,
        cleanup_interval=1,
        connection_limit=most * 2 + 10,  # never reached: we close a connection before
        asyncore_use_poll=True,  # `select` fails from the 1024th open file on
    )
    return Server(application, options, patience, most)


class _Parser(HTTPRequestParser):  # type: ignore[misc]
    """Refuses what servers read in different ways, and ends the connection after the answer."""

    def parse_header(self, header_plus: bytes) -> None:
        if why := _ambiguity(header_plus):
            raise ParsingError(why)
        try:
            super().parse_header(header_plus)
        except ValueError as error:  # an address such as http://[
            raise ParsingError("The request line cannot be read") from error
        self.headers["CONNECTION"] = "close"


def _ambiguity(head: bytes) -> str:
    """Say why the length of a request is not clear; empty if it is."""
    lengths: list[bytes] = []
    codings = 0
    first, *lines = head.strip(b"\r\n").split(b"\r\n")
    for line in lines:
        if line[:1] in (b" ", b"\t"):
            return "A header goes on in a second line"
        name, _, value = line.partition(b":")
        match name.lower().replace(b"_", b"-").strip(), name.lower():
            case (b"content-length", b"content-length"):
                lengths.append(value.strip(b" "))
            case (b"transfer-encoding", b"transfer-encoding") if value.strip(b" ").lower() == b"chunked":
                codings += 1
            case (b"content-length" | b"transfer-encoding", _):
                return "The length is not clear"
    if len(lengths) + codings > 1 or not all(map(_LENGTH.match, lengths)):
        return "The length is not clear"
    if codings and not first.endswith(b" HTTP/1.1"):
        return "The length is not clear"
    return ""


class _Channel(HTTPChannel):  # type: ignore[misc]
    """One connection."""

    parser_class = _Parser

    @property
    def owes_us_a_request(self) -> bool:
        """Say whether the client has not sent a whole request yet."""
        return not (self.requests or self.total_outbufs_len)


class Server(TcpWSGIServer):  # type: ignore[misc]
    """Listens on one address."""

    channel_class = _Channel

    def __init__(self, application: "WSGIApplication", options: Adjustments, patience: float, most: int) -> None:
        self._patience, self._most = patience, most
        super().__init__(application, adj=options, sockinfo=options.listen[0])

    def accept(self) -> tuple[socket.socket, Any] | None:
        """Take a connection, and close another one if there are too many."""
        accepted: tuple[socket.socket, Any] | None = super().accept()
        if accepted and len(self.active_channels) >= self._most and not self._made_room():
            accepted[0].close()
            return None
        return accepted

    def _made_room(self) -> bool:
        waiting: dict[str, list[_Channel]] = {}
        for channel in self.active_channels.values():
            if channel.owes_us_a_request:
                waiting.setdefault(channel.addr[0], []).append(channel)
        of_the_most = max(waiting.values(), key=lambda channels: len(channels), default=[])
        if of_the_most:
            min(of_the_most, key=lambda channel: channel.creation_time).handle_close()
        return bool(of_the_most)

    def maintenance(self, now: float) -> None:
        """Close the connections of clients that had their time; waitress calls it every second."""
        for channel in self.active_channels.values():
            if not channel.requests and channel.creation_time < now - self._patience:
                channel.will_close = True

    def drain(self) -> None:
        """Wait until every answer is sent completely."""
        while any(channel.requests or channel.total_outbufs_len for channel in [*self.active_channels.values()]):
            time.sleep(0.02)
