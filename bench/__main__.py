"""Measure everything and print the tables; with ``--write`` they also become docs/performance.md."""

import logging
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Sequence

from bench import (
    acknowledgement,
    backlog,
    brake,
    burst,
    click,
    gates,
    idle,
    lateness,
    masking,
    noticing,
    outages,
    steady,
    storm,
    traffic,
)
from bench.figures import Finding, report, write
from bench.population import populate
from bench.servers import Servers, servers

ROLLOUTS, ROUNDS, EDITED = 200, 4, 80
PARTS = (
    "acknowledgement",
    "clicks",
    "edits",
    "storm",
    "lateness",
    "steady",
    "outages",
    "backlog",
    "masking",
    "gates",
    "brake",
    "traffic",
)


def main() -> None:
    parser = ArgumentParser(prog="python -m bench", description="Measure the bot against floors of the same run.")
    parser.add_argument("--write", action="store_true", help="also write docs/performance.md")
    parser.add_argument("--only", choices=PARTS, help="run one part")
    chosen = parser.parse_args()
    if chosen.write and chosen.only:
        parser.error("--write needs all parts: leave out --only")
    logging.disable(logging.WARNING)  # the tables show what a busy machine makes late
    findings: list[Finding] = []
    with servers() as running:
        for part in _parts(running, chosen.only):
            found = part()
            findings += found
            print(report(found), flush=True)
    if chosen.write:
        print(f"Written: {write(findings)}", file=sys.stderr)


def _parts(running: Servers, only: str | None) -> Sequence[Callable[[], list[Finding]]]:
    """Return the benches in order."""
    crowds = (populate(running, f"bench-{number}", ROLLOUTS) for number in range(ROUNDS))
    parts = {
        "acknowledgement": (lambda: [acknowledgement.measure(running)],),
        "clicks": (
            lambda: [idle.measure(running, populate(running, "idle", ROLLOUTS))],
            lambda: [click.measure(running, crowds)],
            lambda: [burst.measure(running, populate(running, "burst", burst.CLICKS + burst.ROUNDS))],
        ),
        "edits": (lambda: [noticing.measure(running, populate(running, "edits", EDITED))],),
        "storm": (lambda: [storm.measure(running)],),
        "lateness": (lambda: [lateness.measure(running)],),
        "steady": (lambda: [steady.measure(running)],),
        "outages": (lambda: [outages.measure(running)],),
        "backlog": (lambda: [backlog.measure(running)],),
        "masking": (lambda: [masking.measure()],),
        "gates": (lambda: [gates.measure()],),
        "brake": (lambda: [brake.measure(running)],),
        "traffic": (traffic.measure,),
    }
    return [part for name, each in parts.items() if only in (None, name) for part in each]


if __name__ == "__main__":
    main()
