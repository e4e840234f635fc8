"""``python -m chaos``: everything fails at once, from a seed, and every promise is checked."""

import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path
from tempfile import mkdtemp

from chaos.page import write
from chaos.run import play
from chaos.schedule import schedule
from chaos.table import Report, report, text
from chaos.timeline import dump

SEEDS = (1, 2, 3)
SECONDS, SITES, ROLLOUTS = 150.0, 24, 200


def main() -> int:
    """Run each seed, print its tables, and say by the exit status whether every promise held."""
    parser = ArgumentParser(prog="python -m chaos", description=__doc__)
    parser.add_argument("--seed", type=int, action="append", help=f"one run of this seed; else {SEEDS}")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="how long faults strike in a run")
    parser.add_argument("--sites", type=int, default=SITES, help="routes on which people work at the same time")
    parser.add_argument("--rollouts", type=int, default=ROLLOUTS, help="rollouts that people start at the least")
    parser.add_argument("--write", action="store_true", help="write docs/reliability.md too")
    chosen = parser.parse_args()
    runs = [_run(seed, chosen.seconds, chosen.sites, chosen.rollouts) for seed in chosen.seed or SEEDS]
    if chosen.write:
        print(f"Written: {write(runs)}", file=sys.stderr)
    return int(any(run.violations for run in runs))


def _run(seed: int, seconds: float, sites: int, rollouts: int) -> Report:
    plan = schedule(seed, seconds=seconds, sites=sites, rollouts=rollouts)
    print(f"Seed {seed}: {seconds:.0f} s of faults on {sites} routes, then the calm; some minutes ...", file=sys.stderr)
    run = report(plan, play(plan))
    print(text(run), flush=True)
    _tell(run)
    return run


def _tell(run: Report) -> None:
    """Write down all that is known of a rollout whose promise was broken."""
    files: Sequence[Path] = dump(run.evidence, run.broken, Path(mkdtemp(prefix="chaos-"))) if run.broken else ()
    for file in files:
        print(f"All about {file.stem}: {file}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
