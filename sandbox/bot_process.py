"""A bot as a process of its own, run from this checkout, and what its HTTP port says about it."""

import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import urllib3

from sandbox.folders import CHECKOUT
from sandbox.process import Server, free_ports

NOTE_KEY: Final = "a-key-that-signs-notes-in-a-sandbox"


@dataclass(frozen=True)
class BotProcess:
    """One replica. ``leads``, ``is_ready`` and ``is_live`` are False if it does not answer at once."""

    server: Server
    address: str
    probes: str

    @property
    def url(self) -> str:
        """Return where Slack sends requests."""
        return f"http://{self.address}"

    def leads(self) -> bool:
        """Ask its metrics whether it is the leader."""
        with suppress(urllib3.exceptions.HTTPError):
            answer = urllib3.request("GET", f"http://{self.probes}/metrics", timeout=2, retries=False)
            return b"rolloutbot_leader 1.0" in answer.data
        return False

    def is_ready(self) -> bool:
        """Ask whether it takes requests."""
        return self.server.alive() and is_ready(self.probes)

    def is_live(self) -> bool:
        """Ask whether it listens, even if it still waits for something."""
        return _is_fine(self.probes, "healthz")


def bot_process(name: str, folder: Path, env: Mapping[str, str]) -> BotProcess:
    """Return a bot that is not started, on free ports."""
    address, probes = (f"127.0.0.1:{port}" for port in free_ports(2))
    path = os.pathsep.join([str(CHECKOUT), *filter(None, [os.environ.get("PYTHONPATH")])])
    env = {
        "ROLLOUTBOT_NOTE_KEYS": NOTE_KEY,
        **env,
        "PYTHONPATH": path,
        "ROLLOUTBOT_HTTP": address,
        "ROLLOUTBOT_PROBES": probes,
    }
    return BotProcess(Server(name, [sys.executable, "-m", "bot", "run"], folder, env), address, probes)


def is_ready(probes: str) -> bool:
    """Ask a bot's /readyz, at the address of its probes."""
    return _is_fine(probes, "readyz")


def _is_fine(address: str, path: str) -> bool:
    with suppress(urllib3.exceptions.HTTPError):
        return urllib3.request("GET", f"http://{address}/{path}", timeout=1, retries=False).status == 200
    return False
