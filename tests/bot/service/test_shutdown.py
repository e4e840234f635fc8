"""The end of a process that something holds up."""

import subprocess
import sys

HANGS = """
import threading
from bot.service.shutdown import hurry

def hangs_here():
    threading.Event().wait()

hurry(0.1)
hangs_here()
"""


def test_work_that_delays_the_end_is_left_and_shown() -> None:
    ended = subprocess.run([sys.executable, "-c", HANGS], capture_output=True, text=True, timeout=20)
    assert (ended.returncode, "in hangs_here" in ended.stderr) == (1, True)
