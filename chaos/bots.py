"""The bot processes of a run, and what can be done to a process."""

import json
import os
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import urllib3

from sandbox.demo import is_ready
from sandbox.folders import CHECKOUT
from sandbox.process import Server, free_ports
from sandbox.valkey import INSTALL

POLICY = {
    "plan": {"steps": [10, 50, 100], "every": "1s", "bake": "2s"},
    "approvals": {"at": [80], "needed": 1},
}
"""Short plans; the way to 100 % crosses a mark in each of them."""


@dataclass
class Bot:
    """One replica."""

    server: Server
    address: str
    busy: threading.Lock = field(default_factory=threading.Lock)
    """Held while something is done to it: nobody is killed and paused at once."""

    @property
    def url(self) -> str:
        """Return where Slack sends requests."""
        return f"http://{self.address}"

    def leads(self) -> bool:
        """Say whether it is the leader; one that does not answer at once is not known to be."""
        with suppress(urllib3.exceptions.HTTPError):
            answer = urllib3.request("GET", f"{self.url}/metrics", timeout=1.5, retries=False)
            return b"rolloutbot_leader 1.0" in answer.data
        return False

    def is_ready(self) -> bool:
        """Say whether it takes requests."""
        return self.server.alive() and is_ready(self.address)

    def is_up(self) -> bool:
        """Say whether it listens, whatever it waits for."""
        with suppress(urllib3.exceptions.HTTPError):
            return urllib3.request("GET", f"{self.url}/healthz", timeout=1, retries=False).status == 200
        return False

    def log(self) -> Iterator[Mapping[str, object]]:
        """Yield the lines of its log."""
        for line in self.server.log.read_text(errors="replace").splitlines():
            with suppress(ValueError):
                yield json.loads(line)
                continue
            yield {"level": "raw", "message": line}


@contextmanager
def bots(count: int, folder: Path, namespaces: Sequence[str], env: Mapping[str, str]) -> Iterator[list[Bot]]:
    """Run replicas, and end those that still run."""
    policy = folder / "policy.yaml"
    policy.write_text(json.dumps({"namespaces": list(namespaces), **POLICY}))
    replicas = [_bot(f"bot-{number}", folder, {**env, "ROLLOUTBOT_CONFIG": str(policy)}) for number in range(count)]
    try:
        for bot in replicas:
            bot.server.start()
        for bot in replicas:
            bot.server.wait_ready(bot.is_ready)
        yield replicas
    finally:
        for bot in replicas:
            bot.server.kill()


def _bot(name: str, folder: Path, env: Mapping[str, str]) -> Bot:
    address = f"127.0.0.1:{free_ports(1)[0]}"
    here = os.pathsep.join([str(CHECKOUT), *filter(None, [os.environ.get("PYTHONPATH")])])
    words = {
        **env,
        "PYTHONPATH": here,
        "ROLLOUTBOT_HTTP": address,
        "ROLLOUTBOT_LOG": "json",
        "ROLLOUTBOT_INSTALL": INSTALL,
    }
    return Bot(Server(name, [sys.executable, "-m", "bot", "run"], folder, words), address)
