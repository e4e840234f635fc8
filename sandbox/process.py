"""Server processes that never outlive the sandbox."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from sandbox import guard
from sandbox.errors import SandboxError
from sandbox.identity import write_identity
from sandbox.starter import spawn

READY_SECONDS = 60.0

SHORTEST_PAUSE, LONGEST_PAUSE = 0.01, 0.1

_held: deque[int] = deque(maxlen=256)
"""Descriptors of the sockets that hold the newest ports. They stay open until the process ends. One test needs far
fewer than 256, and a process may have far more.
"""


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on.

    A socket here stays bound to each, so Linux gives the port to nobody else, even before its server starts or between
    two starts. That socket does not listen, so a server that asks for the port by its number gets it.
    """
    return [_hold_port() for _ in range(count)]


def _hold_port() -> int:
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", 0))
    port = int(held.getsockname()[1])
    if len(_held) == _held.maxlen:
        os.close(_held.popleft())
    _held.append(held.detach())
    return port


def wait_until(
    what: str, done: Callable[[], bool], *, seconds: float = READY_SECONDS, pause: float | None = None
) -> None:
    """Wait until ``done`` returns True. Raises SandboxError after ``seconds``.

    It looks again after each ``pause``; without one soon at first, and less often later: looking keeps servers busy.
    """
    deadline = time.monotonic() + seconds
    rest = SHORTEST_PAUSE if pause is None else pause
    while not done():
        if time.monotonic() > deadline:
            raise SandboxError(f"{what} did not happen within {seconds:.0f} s.")
        time.sleep(rest)
        if pause is None:
            rest = min(rest * 1.25, LONGEST_PAUSE)


class Server:
    """One server program, with its output in a log file. It can be killed and started again."""

    def __init__(
        self, name: str, command: Sequence[str | Path], folder: Path, env: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self._command = [str(part) for part in command]
        self._folder = folder
        self._env = {**os.environ, **(env or {})}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Return the process id of the running program."""
        if self._process is None:
            raise SandboxError(f"{self.name} is not running.")
        return self._process.pid

    def start(self) -> None:
        """Start the program. It may take a while until it answers."""
        shim = [sys.executable, "-I", "-S", guard.__file__, str(os.getpid())]
        with self.log.open("ab") as log:
            self._process = spawn([*shim, *self._command], self._folder, self._env, log.fileno())
        write_identity(self._folder / f"{self.name}.pid", self._process.pid)

    def wait_ready(self, answers: Callable[[], bool]) -> None:
        """Wait until ``answers`` returns True. Raises SandboxError with the end of the log if the program ends."""
        try:
            wait_until(f"{self.name}: a first answer", lambda: not self.alive() or answers())
        except SandboxError as error:
            raise SandboxError(f"{error}\n{self.tail()}") from None
        if not self.alive():
            raise SandboxError(f"{self.name} ended before it answered:\n{self.tail()}")

    def alive(self) -> bool:
        """Return whether the program runs."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """End the program at once, as a crash would."""
        self.signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()

    def terminate(self, *, seconds: float) -> int:
        """Ask the program to end, kill it after ``seconds``, and return its exit status."""
        self.signal(signal.SIGTERM)
        try:
            return self.ended(seconds=seconds)
        except SandboxError:
            self.kill()
            return self.ended(seconds=0)

    def ask_to_end(self) -> None:
        """Send SIGTERM, and do not wait."""
        self.signal(signal.SIGTERM)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, unless the program has ended: another process may have its pid by now."""
        if self._process is not None:
            self._process.send_signal(number)

    def ended(self, *, seconds: float) -> int:
        """Wait for the end of the program and return its exit status."""
        if self._process is None:
            return 0
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise SandboxError(f"{self.name} did not end within {seconds:.0f} s:\n{self.tail()}") from None

    def freeze(self) -> None:
        """Freeze the program: connections stay open and nothing answers."""
        if not self.alive():
            status = self._process.returncode if self._process else "none"
            raise SandboxError(f"{self.name} has ended by itself, status {status}:\n{self.tail()}")
        self.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen program go on."""
        self.signal(signal.SIGCONT)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Freeze the program for the block."""
        self.freeze()
        try:
            yield
        finally:
            self.thaw()

    @contextmanager
    def killed(self, start: Callable[[], None]) -> Iterator[None]:
        """Kill the program for the block, and ``start`` it again after it."""
        self.kill()
        try:
            yield
        finally:
            start()

    def tail(self) -> str:
        """Return the end of the log."""
        return self.log.read_text(errors="replace")[-3000:] if self.log.exists() else ""
