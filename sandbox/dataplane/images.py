"""Which program a container's image stands for, and how it is started as a process: pure functions."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sandbox.folders import CHECKOUT

Container = Mapping[str, Any]

GRPC_PORT: Final = 9002
HEALTH_PORT: Final = 9003
METRICS_PORT: Final = 9090
PICKER_SERVICE: Final = "inference-extension"
"""The name by which an endpoint picker's health is asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A command for one container.

    ``ports`` says at which port the process listens instead of the container's own one: an endpoint picker binds every
    address, so two of them cannot have the same port on one machine.
    """

    command: Sequence[str]
    ports: Mapping[int, int] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    http_probe: tuple[int, str] | None = None
    grpc_probe: tuple[int, str] | None = None

    def port(self, number: int) -> int:
        """Return where the process listens for a port of its container."""
        return self.ports.get(number, number)


def kind_of(image: str) -> str:
    """Return ``picker``, ``vllm`` or ``sglang``; empty for an image that cannot be pulled here."""
    name = image.rpartition("/")[2].partition("@")[0].partition(":")[0]
    for word, kind in (("epp", "picker"), ("endpoint-picker", "picker"), ("vllm", "vllm"), ("sglang", "sglang")):
        if word in name:
            return kind
    return ""


def picker(binary: Path, arguments: Sequence[str], ports: Sequence[int]) -> Program:
    """Return an endpoint picker that listens at three ``ports`` of its own, without TLS and without logging in."""
    own = dict(zip((GRPC_PORT, HEALTH_PORT, METRICS_PORT), ports, strict=True))
    flags = [
        f"--grpc-port={own[GRPC_PORT]}",
        f"--grpc-health-port={own[HEALTH_PORT]}",
        f"--metrics-port={own[METRICS_PORT]}",
        "--secure-serving=false",
        "--metrics-endpoint-auth=false",
        "--tracing=false",
        "--refresh-metrics-interval=200ms",
    ]
    return Program(command=[str(binary), *arguments, *flags], ports=own, grpc_probe=(own[HEALTH_PORT], PICKER_SERVICE))


def model_server(image: str, arguments: Sequence[str], address: str, port: int) -> Program:
    """Return a model server at the pod's own address."""
    command = [sys.executable, "-m", "sandbox.model_server", "--framework", framework_of(image)]
    env = {"PYTHONPATH": str(CHECKOUT)}
    listens = ["--host", address, "--port", str(port)]
    return Program(command=[*command, *listens, *arguments], env=env, http_probe=(port, "/health"))


def framework_of(image: str) -> str:
    """Return whose metrics an image has: vLLM renamed some of them in 0.11."""
    if kind_of(image) == "sglang":
        return "sglang"
    major, minor = _version(image.rpartition(":")[2])
    return "vllm" if (major, minor) >= (0, 11) else "vllm-old"


def _version(tag: str) -> tuple[int, int]:
    numbers = [part for part in tag.removeprefix("v").split(".")[:2] if part.isdigit()]
    return (int(numbers[0]), int(numbers[1])) if len(numbers) == 2 else (99, 0)
