"""Pass HTTP/1.1 messages from one connection to another byte by byte, as they come, so that watches work."""

import io
import select
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

PIECE: Final = 64 * 1024
_BODILESS: Final = {"204", "304"}


class BrokenOffError(Exception):
    """A connection ended in the middle of a message."""


@dataclass(frozen=True)
class Head:
    """The head of a request or an answer: the words of its first line, its fields, and its raw bytes."""

    words: tuple[str, str, str]
    fields: dict[str, str]
    raw: bytes

    @property
    def closes(self) -> bool:
        """Return whether the connection ends with this message."""
        return self.fields.get("connection", "").lower() == "close"

    @property
    def is_watch(self) -> bool:
        """Return whether this request starts a watch."""
        return "watch=" in urlsplit(self.words[1]).query

    @property
    def asks_for(self) -> str:
        """Return the method (or WATCH) and the plural of the resource, such as ``PATCH httproutes``."""
        parts = urlsplit(self.words[1]).path.strip("/").split("/")
        parts = parts[{"api": 2, "apis": 3}.get(parts[0], 0) :]
        if len(parts) > 2 and parts[0] == "namespaces":
            parts = parts[2:]
        return f"{'WATCH' if self.is_watch else self.words[0]} {parts[0] if parts else '/'}"


class _Bytes(io.RawIOBase):
    """The bytes from a connection, until another thread ends it.

    It does not wait in the connection's own ``recv``: TLS would tell the other side when that is interrupted.
    """

    def __init__(self, sock: ssl.SSLSocket) -> None:
        self._sock = sock
        self._over = threading.Event()
        self._waker, self._woken = socket.socketpair()
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN)
        self._poll.register(self._woken, select.POLLIN)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._sock.pending():
            self._poll.poll()
        if self._over.is_set():
            raise BrokenOffError
        return self._sock.recv_into(buffer)

    def end(self) -> None:
        """Wake the waiting thread, if it has not closed this itself."""
        self._over.set()
        with suppress(OSError):
            self._waker.send(b".", socket.MSG_DONTWAIT)

    def close(self) -> None:
        super().close()
        self._waker.close()
        self._woken.close()


class Line:
    """One connection, read through a buffer."""

    def __init__(self, sock: ssl.SSLSocket) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sock = sock
        self._bytes = _Bytes(sock)
        self._file = io.BufferedReader(self._bytes, PIECE)

    def head(self) -> Head | None:
        """Read a head; None if the other side ended the connection."""
        first = self._file.readline()
        if not first:
            return None
        lines = [first]
        while lines[-1] not in (b"\r\n", b""):
            lines.append(self._file.readline())
        first_word, second, third, *_ = [*first.decode("latin-1").strip().split(" ", 2), "", ""]
        pairs = [line.decode("latin-1").partition(":") for line in lines[1:-1]]
        fields = {name.strip().lower(): value.strip() for name, _, value in pairs}
        return Head(words=(first_word, second, third), fields=fields, raw=b"".join(lines))

    def body(self, head: Head, *, is_answer: bool) -> Iterator[bytes]:
        """Yield the bytes after a head as they come. Raises BrokenOffError."""
        if "chunked" in head.fields.get("transfer-encoding", ""):
            yield from self._chunks()
        elif "content-length" in head.fields:
            yield from self._exactly(int(head.fields["content-length"]))
        elif is_answer and head.words[1] not in _BODILESS:
            yield from iter(lambda: self._file.read1(PIECE), b"")

    def send(self, data: bytes) -> None:
        """Send all of it."""
        self._sock.sendall(data)

    def is_dropped(self) -> bool:
        """Return whether the other side has ended this idle connection."""
        self._sock.settimeout(0)
        try:
            return self._sock.recv(1) == b""
        except ssl.SSLWantReadError:
            return False
        except OSError:
            return True
        finally:
            self._sock.settimeout(None)

    def wait_for_end(self) -> None:
        """Wait until the other side ends the connection, and ignore what it sends."""
        while self._file.read1(PIECE):
            pass

    def end(self) -> None:
        """Make the reading thread raise BrokenOffError, without telling the other side."""
        self._bytes.end()

    def close(self, *, reset: bool = False) -> None:
        """End the connection, with a TCP reset if ``reset``."""
        if reset:
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._file.close()
        self._sock.close()

    def _chunks(self) -> Iterator[bytes]:
        while True:
            size = self._file.readline()
            if not size.endswith(b"\n"):
                raise BrokenOffError
            length = int(size.split(b";")[0], 16)
            if length == 0:
                yield size + self._file.readline()
                return
            pieces = self._exactly(length + 2)
            yield size + next(pieces)
            yield from pieces

    def _exactly(self, length: int) -> Iterator[bytes]:
        while length:
            piece = self._file.read1(min(length, PIECE))
            if not piece:
                raise BrokenOffError
            length -= len(piece)
            yield piece


class Connection:
    """A client's connection, the one to the API server for it, and the last request."""

    def __init__(self, client: Line) -> None:
        self.client = client
        self.server: Line | None = None
        self.request: Head | None = None
        self.watches = False
        self.silent = False
        self.reset = False

    @property
    def is_over(self) -> bool:
        """Return whether a waiting request should give up: its client has gone, or the connection is being reset."""
        return self.reset or self.client.is_dropped()

    def end(self, *, reset: bool) -> None:
        """Make its thread end it, whatever that waits for."""
        self.reset = reset
        self.client.end()
        if self.server is not None:
            self.server.end()

    def forward(self, data: bytes) -> None:
        """Send the client what the API server sent."""
        if self.reset:
            raise BrokenOffError
        if data and not self.silent:
            self.client.send(data)

    def close(self) -> None:
        """Close both sides."""
        self.client.close(reset=self.reset)
        if self.server is not None:
            self.server.close()
