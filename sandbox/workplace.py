"""The folder of one running sandbox: removed at its end, or by the next start if it crashed."""

import itertools
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.errors import SandboxError
from sandbox.folders import runs
from sandbox.identity import end, is_alive, write_identity


@dataclass(frozen=True)
class Workplace:
    """A folder with ``owner`` (the process that uses it), ``state.json`` (addresses) and the servers' files."""

    folder: Path

    @property
    def name(self) -> str:
        """Return the name of the sandbox."""
        return self.folder.name

    def publish(self, state: Mapping[str, Any]) -> None:
        """Write the addresses to a file, for the other commands."""
        draft = self.folder / "state.new"
        draft.write_text(json.dumps({**state, "started": time.time()}, indent=2))
        draft.rename(self.folder / "state.json")


@contextmanager
def workplace(name: str | None = None, *, prefix: str = "sandbox") -> Iterator[Workplace]:
    """Yield a new folder, named ``name`` or after ``prefix`` and a number, and remove it at the end."""
    sweep()
    place = Workplace(_claim(name, prefix))
    try:
        yield place
    finally:
        shutil.rmtree(place.folder, ignore_errors=True)


def live() -> list[dict[str, Any]]:
    """Return the published states of the running sandboxes, newest first."""
    states = [state for folder in _folders() if is_alive(folder / "owner") for state in _published(folder)]
    return sorted(states, key=lambda state: float(state["started"]), reverse=True)


def _published(folder: Path) -> list[dict[str, Any]]:
    """Read what a sandbox has published; nothing if it has not yet, or is gone."""
    try:
        return [json.loads((folder / "state.json").read_text())]
    except FileNotFoundError:
        return []


def sweep() -> None:
    """End the servers and remove the folders of sandboxes whose process is gone."""
    for folder in _folders():
        if not is_alive(folder / "owner"):
            with suppress(FileNotFoundError):  # another process may remove it now; it has ended the servers first
                for server in folder.rglob("*.pid"):
                    end(server)
            shutil.rmtree(folder, ignore_errors=True)


def _folders() -> list[Path]:
    return [path for path in runs().glob("[!.]*") if path.is_dir()]


def _claim(name: str | None, prefix: str) -> Path:
    """Make a folder that has its owner from the start, so that no other process sweeps it away."""
    runs().mkdir(parents=True, exist_ok=True, mode=0o700)
    # It will hold tokens, and mkdtemp makes it private.
    draft = Path(tempfile.mkdtemp(prefix=".", dir=runs()))
    write_identity(draft / "owner", os.getpid())
    for candidate in [name] if name else (f"{prefix}-{number}" for number in itertools.count(1)):
        try:
            return draft.rename(runs() / candidate)
        except OSError:
            continue
    shutil.rmtree(draft)
    raise SandboxError(f"A sandbox named `{name}` is running already; choose another name.")
