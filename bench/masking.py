"""How long a log line takes that holds a long, hostile text. Whatever the text, ten times the text takes ten times as
long; the floor is the shorter text, so the goal is a ratio of 10. It was 100 when masking took quadratic time.
"""

import logging
import time

from bench.figures import Finding, Round, rows_of
from bot.service.logs import TextLines

ROUNDS, SHORT, TIMES = 5, 20_000, 10
HOSTILE = (
    *(
        "a.",
        "a-",
        "a",
        "xoxb",
        "xoxb-a.xoxb",
        "a://",
        "a://b:",
        "://:",
        "://a@",
        "Bearer ",
        "bearer\t",
        "ticket=",
        "eyJ-",
    ),
    *(
        "-----BEGIN PRIVATE KEY-----",
        "-----BEGIN ",
        "password=",
        "authorization: ",
        'token="',
        "secret",
        "abcdef.",
        "\\n",
    ),
)


def measure() -> Finding:
    """Measure the worst of many hostile texts at two lengths."""
    lines = TextLines(["a-secret-of-the-settings"])
    rounds = [Round([_worst(lines, SHORT)], [_worst(lines, SHORT * TIMES)]) for _ in range(ROUNDS)]
    rows = rows_of("a line of 200 kB after one of 20 kB", rounds)[:1]
    return Finding(title="Masking", about=__doc__ or "", rows=rows)


def _worst(lines: TextLines, length: int) -> float:
    return max(_seconds(lines, (unit * length)[:length]) for unit in HOSTILE)


def _seconds(lines: TextLines, text: str) -> float:
    record = logging.makeLogRecord({"msg": text, "name": "bench", "levelname": "INFO"})
    began = time.perf_counter()
    lines.format(record)
    return time.perf_counter() - began
