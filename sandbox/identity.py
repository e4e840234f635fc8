"""Identify a process by its pid and its start time, because the kernel reuses pids."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path


def write_identity(file: Path, pid: int) -> None:
    """Write a process to a file, so that somebody else can clean up."""
    file.write_text(json.dumps([pid, _started(pid)]))


def is_alive(file: Path) -> bool:
    """Return whether the process that a file names still runs."""
    return _running_pid(file) is not None


def is_running(pid: int) -> bool:
    """Return whether a process runs; a zombie does not."""
    return bool(_started(pid))


def end(file: Path) -> None:
    """Kill the process that a file names, if it still runs."""
    send(file, signal.SIGKILL)


def send(file: Path, number: signal.Signals) -> bool:
    """Send a signal to the process that a file names; return False if it has ended."""
    pid = _running_pid(file)
    if pid is None:
        return False
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def _running_pid(file: Path) -> int | None:
    try:
        pid, started = json.loads(file.read_text())
    except (OSError, ValueError):
        return None
    return int(pid) if started and _started(pid) == started else None


def _started(pid: int) -> str:
    if sys.platform != "linux":
        answer = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
        return answer.stdout.strip()
    try:
        # The name, in brackets, may hold anything, so count the fields after it.
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if state == "Z" else fields[18]
