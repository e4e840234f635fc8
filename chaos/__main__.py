"""Make everything fail and print the results; with ``--write`` they also become docs/reliability.md."""

import logging
import sys
from argparse import ArgumentParser, BooleanOptionalAction, Namespace
from pathlib import Path
from tempfile import mkdtemp

from chaos.run import play
from chaos.schedule import schedule
from chaos.traffic import TrafficRun, play_traffic
from chaos.verdict import Verdict, judge
from chaos.writes.sweep import WritesRun, play_writes
from sandbox.apiserver import ApiServer, api_server
from sandbox.folders import CHECKOUT
from sandbox.signals import stop_on_signals
from sandbox.workplace import workplace

SEEDS = (1, 2, 3)
TEXT = Path(__file__).with_name("reliability.md")
PAGE = CHECKOUT / "docs" / "reliability.md"


def main() -> int:
    chosen = _arguments()
    stop_on_signals()
    logging.disable(logging.WARNING)  # urllib3 warns about every connection that a fault cuts
    folder = Path(mkdtemp(prefix="rolloutbot-chaos-"))
    with workplace(prefix="chaos") as place, api_server(place) as server:
        verdicts = [_run(seed, chosen, server, folder) for seed in chosen.seed or SEEDS]
    runs: list[Verdict | TrafficRun | WritesRun] = [*verdicts]
    if chosen.traffic:
        runs.append(play_traffic(chosen.traffic, (chosen.seed or SEEDS)[0]))
        print(runs[-1].section, flush=True)
    if chosen.writes:
        runs.append(play_writes())
        print(runs[-1].section, flush=True)
    if chosen.write:
        PAGE.write_text("\n\n".join([TEXT.read_text().strip(), *(run.section for run in runs)]) + "\n")
        print(f"Written: {PAGE}", file=sys.stderr)
    never = frozenset.intersection(*(verdict.idle for verdict in verdicts))
    for verb in sorted(never):
        print(f"No `{verb}` was carried out in any run.", file=sys.stderr)
    return 0 if not never and all(run.is_good for run in runs) else 1


def _arguments() -> Namespace:
    parser = ArgumentParser(prog="python -m chaos", description=__doc__)
    parser.add_argument(
        "--seed", type=int, action="append", help="run this seed; give it more than once for several runs"
    )
    parser.add_argument("--seconds", type=float, default=130, help="how long the faults last")
    parser.add_argument("--sites", type=int, default=40, help="number of routes")
    parser.add_argument("--rollouts", type=int, default=200, help="fail the run if there are fewer rollouts")
    parser.add_argument("--traffic", type=float, default=60, help="seconds with users on a data plane; 0: none")
    parser.add_argument(
        "--writes", action=BooleanOptionalAction, default=True, help="let each write of `deploy` and `clean` fail once"
    )
    parser.add_argument("--write", action="store_true", help="also write docs/reliability.md")
    return parser.parse_args()


def _run(seed: int, chosen: Namespace, server: ApiServer, folder: Path) -> Verdict:
    plan = schedule(seed, seconds=chosen.seconds, sites=chosen.sites, rollouts=chosen.rollouts)
    here = folder / f"seed-{seed}"
    verdict = judge(play(plan, server), plan, here)
    print(verdict.section, flush=True)
    for said in (*verdict.broken, *verdict.unshown):
        print(f"- {said}", flush=True)
    if verdict.broken:
        print(f"A timeline of each rollout named above: {here}", flush=True)
    print(f"\nSeed {seed}: {verdict.summary}\n", flush=True)
    return verdict


if __name__ == "__main__":
    sys.exit(main())
