"""Run a program that ends when its parent ends, however the parent ends.

``sandbox.process`` runs this as a script: ``python guard.py PARENT_PID PROGRAM ARGUMENT...``.
Linux sends the signal itself. Elsewhere the next sandbox cleans up (``sandbox.workplace``).
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(parent: int, command: list[str]) -> None:
    """Ask for the signal first, then check the parent: it may end in between."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(1)
    os.execv(command[0], command)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
