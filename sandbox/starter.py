"""One thread that starts all server processes.

Linux ends a guarded child when the *thread* that started it ends, not when the process does. A fixture or a pool that
starts a server from a short-lived thread would lose it. So one lasting thread starts them all.
"""

import queue
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path

from sandbox.errors import SandboxError

_jobs: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
_once = threading.Lock()
_thread: threading.Thread | None = None

Process = subprocess.Popen[bytes]


def spawn(command: Sequence[str], folder: Path, env: Mapping[str, str], log: int) -> Process:
    """Start a process in ``folder`` whose output goes to ``log``."""
    _ensure_thread()
    result: Future[Process] = Future()
    _jobs.put(partial(_start, result, command, folder, env, log))
    return result.result()


def _start(result: Future[Process], command: Sequence[str], folder: Path, env: Mapping[str, str], log: int) -> None:
    try:
        # Its own session keeps Ctrl-C away from the child: the sandbox ends its servers in order.
        process = subprocess.Popen(
            command, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    except OSError as error:
        result.set_exception(SandboxError(f"{command[0]} could not be started: {error}"))
    else:
        result.set_result(process)


def _ensure_thread() -> None:
    global _thread
    with _once:
        if _thread is None:
            _thread = threading.Thread(target=_work, name="starter", daemon=True)
            _thread.start()


def _work() -> None:
    while True:
        _jobs.get()()
