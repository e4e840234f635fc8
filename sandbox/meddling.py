"""What somebody else does to a running sandbox: edit the route, empty Valkey, make a server hang."""

import signal
from contextlib import closing
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import redis

from sandbox.errors import SandboxError
from sandbox.folders import runs
from sandbox.identity import send
from sandbox.world import World

State = dict[str, Any]

SERVERS: Final = {"valkey": Path("valkey/valkey.pid"), "slack": Path("slack/local-slack.pid")}


def edit(world: World, weights: list[int]) -> None:
    """Edit the weights of a route's backends as ``kubectl edit`` would."""
    there = len(world.weights())
    if there != len(weights):
        raise SandboxError(f"Name a weight for each backend of {world.route}: it has {there} now.")
    world.edit_weights(*weights, by="kubectl-edit")


def flush(state: State) -> None:
    """Empty Valkey."""
    address = urlsplit(state["environment"]["REDIS_URL"])
    with closing(redis.Redis(host=str(address.hostname), port=int(address.port or 0), socket_timeout=5)) as client:
        client.flushall()


def stop(state: State, server: str) -> None:
    """Freeze a server: connections stay open, nothing answers, and no data is lost."""
    _signal(state, server, signal.SIGSTOP)


def start(state: State, server: str) -> None:
    """Let a frozen server go on."""
    _signal(state, server, signal.SIGCONT)


def _signal(state: State, server: str, number: signal.Signals) -> None:
    if not send(runs() / state["name"] / SERVERS[server], number):
        raise SandboxError(f"The sandbox's {server} is not running.")
