"""Make a folder once: one process at a time, and visible to others only when it is complete."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from sandbox.errors import SandboxError

PROGRESS_SECONDS = 15.0


def say(text: str) -> None:
    """Tell the person at the terminal something, on standard error; standard output is for results."""
    print(text, file=sys.stderr, flush=True)


def version_key(*files: Path, extra: str = "") -> str:
    """Return a short name that changes with the content of ``files`` and with ``extra``."""
    digest = hashlib.sha256(extra.encode())
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def install_once(target: Path, make: Callable[[Path], None]) -> Path:
    """Return ``target``; if it does not exist, ``make(folder)`` makes it first."""
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with exclusive(target.with_name(target.name + ".lock")):
        if not target.is_dir():
            _make(target, make)
    return target


def _make(target: Path, make: Callable[[Path], None]) -> None:
    draft = Path(tempfile.mkdtemp(prefix=target.name + ".", dir=target.parent))
    try:
        make(draft)
        draft.chmod(0o755)
        draft.rename(target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


@contextmanager
def exclusive(lock: Path) -> Iterator[None]:
    """Hold a lock that the kernel releases whatever happens to this process."""
    with lock.open("w") as handle:
        if not _try_lock(handle.fileno()):
            say(f"{lock.stem}: waiting for another process to finish it ...")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _try_lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def run_visibly(
    what: str,
    about: str,
    command: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> None:
    """Run a long command; report how long it has taken so far, and show its output only if it fails."""
    say(f"{what}: {about} ...")
    started = time.monotonic()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            command, cwd=cwd, env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
        try:
            _wait_visibly(process, what, started)
        except BaseException:
            process.kill()
            process.wait()
            raise
        if process.returncode:
            output.seek(0)
            raise SandboxError(f"{what} failed:\n{output.read()[-4000:].decode(errors='replace')}")
    say(f"{what}: done in {time.monotonic() - started:.0f} s")


def _wait_visibly(process: subprocess.Popen[bytes], what: str, started: float) -> None:
    while True:
        try:
            process.wait(PROGRESS_SECONDS)
            return
        except subprocess.TimeoutExpired:
            say(f"{what}: still running, {time.monotonic() - started:.0f} s so far")
