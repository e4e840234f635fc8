"""The runs as docs/reliability.md."""

from collections.abc import Sequence
from pathlib import Path

from chaos.table import Report, text

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reliability.md"

INTRODUCTION = """# Reliability

Written by `python -m chaos --write`; `make chaos` only prints the tables.

A run has two bots (and now and then none), a real kube-apiserver with etcd behind a proxy that fails on command, a
real Valkey, a Slack that is as strict as the real one and fails on command too, people who type and click without a
rest, and a rival who edits the same routes. A seed makes the plan of all faults; how things fall together differs from
run to run. When the faults are over, everything has to come to rest, and then every promise is checked on what was
seen from outside: each version of each route, each answer, each message in Slack, each event.

What cannot be kept, and is counted apart as *lost with Redis*: what somebody was told "Got it" for, and what Redis then
forgot (a flush, or lost seconds) before it was on a route. A roll back, a pause or a step that is on the route is never
lost.
"""


def write(runs: Sequence[Report]) -> Path:
    """Write the page and return where it is."""
    PAGE.write_text("\n".join([INTRODUCTION, *map(text, runs)]))
    return PAGE
