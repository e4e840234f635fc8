"""A whole bot process, and the CPU, memory and threads of a process as /proc has them."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from sandbox.bot_process import BotProcess, bot_process
from sandbox.process import Server, wait_until
from sandbox.valkey import INSTALL
from sandbox.workplace import workplace


@contextmanager
def whole_bot(environment: Mapping[str, str], policy: Mapping[str, Any]) -> Iterator[BotProcess]:
    """Start a bot and wait until it leads; stop it after the block."""
    with workplace(prefix="bench") as place:
        file = place.folder / "policy.yaml"
        file.write_text(yaml.safe_dump(dict(policy)))
        env = {"ROLLOUTBOT_CONFIG": str(file), "ROLLOUTBOT_INSTALL": INSTALL, **environment}
        bot = bot_process("bot", place.folder, env)
        bot.server.start()
        try:
            bot.server.wait_ready(bot.is_ready)
            wait_until("the bot's lead", bot.leads, seconds=15)
            yield bot
        finally:
            bot.server.terminate(seconds=10)


def cpu(process: Server) -> float:
    """Return the seconds of CPU that a process has used, in user and kernel mode, from its CPU clock."""
    return time.clock_gettime(~process.pid << 3 | 2)  # what clock_getcpuclockid(3) returns for a process id


def memory(process: Server) -> float:
    """Return a process's resident memory in MiB."""
    return _status(process, "VmRSS") / 1024


def threads(process: Server) -> int:
    return _status(process, "Threads")


def _status(process: Server, name: str) -> int:
    (line,) = (line for line in _proc(process, "status").splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1])


def _proc(process: Server, file: str) -> str:
    return Path(f"/proc/{process.pid}/{file}").read_text()
