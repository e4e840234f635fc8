"""Who answered lately, as a table for a terminal: pure functions."""

import statistics
from collections.abc import Sequence

from sandbox.load.ledger import Record, failures, shares

HEAD = f"{'pool':34}{'share':>7}{'requests':>10}{'p50':>9}{'p95':>9}   to the first byte"


def table(records: Sequence[Record]) -> str:
    """Return one line for each pool, then what went wrong."""
    if not records:
        return "No request was answered yet.\n"
    lines = [HEAD, *(_line(pool, share, records) for pool, share in sorted(shares(records).items()))]
    wrong = ", ".join(f"{count} x {what}" for what, count in sorted(failures(records).items()))
    return "\n".join([*lines, f"failed: {wrong or 'none'} of {len(records)}"]) + "\n"


def _line(pool: str, share: float, records: Sequence[Record]) -> str:
    times = sorted(record.first_token * 1000 for record in records if record.pool == pool)
    p50, p95 = (times[0],) * 2 if len(times) == 1 else _quantiles(times)
    return f"{pool:34}{share:7.1%}{len(times):10}{p50:6.0f} ms{p95:6.0f} ms"


def _quantiles(times: Sequence[float]) -> tuple[float, float]:
    cuts = statistics.quantiles(times, n=20, method="inclusive")
    return cuts[9], cuts[18]
