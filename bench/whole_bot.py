"""A whole bot process, and what /proc says it takes: CPU, memory, threads."""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import urllib3
import yaml

from sandbox.demo import ROOT, is_ready
from sandbox.process import Server, free_ports, wait_until
from sandbox.valkey import INSTALL
from sandbox.workplace import workplace


class WholeBot:
    """A bot that runs and leads."""

    def __init__(self, server: Server, address: str) -> None:
        self.server, self.address = server, address

    def leads(self) -> bool:
        """Say whether it is the leader."""
        metrics = urllib3.request("GET", f"http://{self.address}/metrics", timeout=2, retries=False).data
        return b"rolloutbot_leader 1.0" in metrics

    def cpu(self) -> float:
        """Return the seconds of CPU it has used, its own and the kernel's for it."""
        fields = self._proc("stat").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> float:
        """Return its resident memory in MiB."""
        return self._status("VmRSS") / 1024

    def threads(self) -> int:
        """Return how many threads it has."""
        return self._status("Threads")

    def _status(self, name: str) -> int:
        (line,) = (line for line in self._proc("status").splitlines() if line.startswith(f"{name}:"))
        return int(line.split()[1])

    def _proc(self, file: str) -> str:
        return Path(f"/proc/{self.server.pid}/{file}").read_text()


@contextmanager
def whole_bot(environment: Mapping[str, str], policy: Mapping[str, Any]) -> Iterator[WholeBot]:
    """Start a bot and wait until it leads; end it with the block."""
    with workplace(prefix="bench") as place:
        address, file = f"127.0.0.1:{free_ports(1)[0]}", place.folder / "policy.yaml"
        file.write_text(yaml.safe_dump(dict(policy)))
        env = {
            "PYTHONPATH": str(ROOT),
            "ROLLOUTBOT_HTTP": address,
            "ROLLOUTBOT_CONFIG": str(file),
            "ROLLOUTBOT_INSTALL": INSTALL,
            **environment,
        }
        server = Server("bot", [sys.executable, "-m", "bot", "run"], place.folder, env)
        bot = WholeBot(server, address)
        server.start()
        try:
            server.wait_ready(lambda: is_ready(address))
            wait_until("the bot's lead", bot.leads, seconds=15)
            yield bot
        finally:
            server.terminate(seconds=10)
