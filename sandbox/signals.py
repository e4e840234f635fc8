"""Make every polite way of ending a process end it as Ctrl-C does, so that each ``with`` is left properly."""

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
