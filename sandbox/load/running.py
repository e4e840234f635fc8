"""Run users beside a test or a demo, as a process of their own, so that nothing here slows them down."""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sandbox.errors import SandboxError
from sandbox.folders import CHECKOUT
from sandbox.load import ledger
from sandbox.load.ledger import Record
from sandbox.process import Server, wait_until

LAST_ANSWERS_SECONDS = 130.0


@dataclass(frozen=True)
class Load:
    """Running users. The records come as their requests are over."""

    server: Server
    file: Path

    def records(self, since: float = 0.0) -> Sequence[Record]:
        """Return the records of the requests that began at ``since`` or later, in seconds since 1970."""
        return [record for record in ledger.read(self.file) if record.at >= since]

    def wait_for(self, count: int) -> None:
        """Wait until ``count`` more requests that begin from now on are over."""
        since = time.time()
        wait_until(f"the load: {count} more answers", lambda: len(self.records(since)) >= count)

    def stop(self) -> Sequence[Record]:
        """Send no more requests, wait for the last answers, and return all records. Raises SandboxError."""
        status = self.server.terminate(seconds=LAST_ANSWERS_SECONDS)
        if status:
            raise SandboxError(f"The users ended with status {status}:\n{self.server.tail()}")
        return self.records()


@contextmanager
def load(
    url: str,
    folder: Path,
    *,
    model: str,
    adapter: str,
    rate: float = 10.0,
    streams: int = 0,
    host: str = "",
    only: str = "",
    seed: int = 1,
) -> Iterator[Load]:
    """Run users of a gateway for the block; it begins once the first request is answered."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "ledger.jsonl"
    file.touch()
    asks = ["--url", url, "--ledger", str(file), "--model", model, "--adapter", adapter]
    mix = ["--rate", str(rate), "--streams", str(streams), "--host", host, "--only", only, "--seed", str(seed)]
    command = [sys.executable, "-m", "sandbox.load", *asks, *mix]
    running = Load(Server("load", command, folder, {"PYTHONPATH": str(CHECKOUT)}), file)
    try:
        running.server.start()
        wait_until("the load: a first answer", lambda: bool(running.records()))
        yield running
    finally:
        running.server.kill()
