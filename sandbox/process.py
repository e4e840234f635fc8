"""Server processes that never outlive the sandbox."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from sandbox import guard
from sandbox.errors import SandboxError
from sandbox.identity import write_identity
from sandbox.starter import spawn

READY_SECONDS = 60.0


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on; they are held together, so that no two are the same."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]
    finally:
        for one in sockets:
            one.close()


def wait_until(what: str, done: Callable[[], bool], *, seconds: float = READY_SECONDS, pause: float = 0.02) -> None:
    """Ask until ``done`` says so; raise SandboxError after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            raise SandboxError(f"{what} did not happen within {seconds:.0f} s.")
        time.sleep(pause)


class Server:
    """One server program: startable again after it was killed, with its output in a log file."""

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
        """Start the program; it may need a while until it answers."""
        shim = [sys.executable, "-I", "-S", guard.__file__, str(os.getpid())]
        with self.log.open("ab") as log:
            self._process = spawn([*shim, *self._command], self._folder, self._env, log.fileno())
        write_identity(self._folder / f"{self.name}.pid", self._process.pid)

    def wait_ready(self, answers: Callable[[], bool]) -> None:
        """Wait until ``answers``; a program that ended instead is reported with the end of its log."""
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

    def terminate(self, *, seconds: float) -> int:
        """Ask the program to end, end it where it does not within ``seconds``, and return its exit status."""
        if self._process is None:
            return 0
        self._process.terminate()
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            return self._process.wait()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal and wait for the end."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait()

    def freeze(self) -> None:
        """Stop the program in its tracks: connections stay open and nothing answers."""
        if not self.alive():
            status = self._process.returncode if self._process else "none"
            raise SandboxError(f"{self.name} has ended by itself, status {status}:\n{self.tail()}")
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen program go on."""
        os.kill(self.pid, signal.SIGCONT)

    def tail(self) -> str:
        """Return the end of the log."""
        return self.log.read_text(errors="replace")[-3000:] if self.log.exists() else ""
