"""Make each signal that ends a process act as Ctrl-C does, so that every ``with`` block cleans up."""

import signal
from typing import NoReturn

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def stop_on_signals() -> None:
    """Turn the first of SIGINT, SIGTERM and SIGHUP into KeyboardInterrupt; call it in the main thread."""
    for number in SIGNALS:
        signal.signal(number, _stop)


def _stop(number: int, frame: object) -> NoReturn:
    # Once is enough: a second signal must not break into the clean-up.
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt
