"""Put bad and honest new pools beside an old one on real traffic, and count what each costs and who is stopped.

With ``--write`` the tables also become a part of docs/gates.md.
"""

import json
import logging
import queue
import random
import sys
import threading
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from tempfile import mkdtemp
from typing import TextIO

from canaries.lane import Lane
from canaries.page import section, write
from canaries.scenarios import BAD, HONEST, Scenario
from canaries.watching import Outcome, watch
from k8s.cluster import Cluster
from k8s.connection import connect
from sandbox.apiserver import api_server
from sandbox.dataplane.plane import NAMESPACE, Plane, data_plane
from sandbox.dataplane.programs import programs
from sandbox.dataplane.prometheus import prometheus
from sandbox.rights import give_rights
from sandbox.signals import stop_on_signals
from sandbox.workplace import workplace

LANES = 3
Job = tuple[Scenario, int]


def main() -> int:
    chosen = _arguments()
    stop_on_signals()
    logging.disable(logging.WARNING)
    jobs = _jobs(chosen)
    folder = Path(mkdtemp(prefix="rolloutbot-canaries-"))
    with (
        workplace(prefix="canaries") as place,
        api_server(place) as server,
        data_plane(server, programs(), place.folder / "plane") as plane,
        (folder / "outcomes.jsonl").open("w", buffering=1) as file,
    ):
        give_rights(plane.kube, NAMESPACE)
        api = connect(server.kubeconfig("rolloutbot"))
        outcomes = _run(plane, Cluster(api.api, [NAMESPACE]), jobs, folder, file)
    print(section(outcomes))
    if chosen.write:
        print(f"Written: {write(outcomes)}", file=sys.stderr)
    return 0 if len(outcomes) == len(jobs) and not any(map(_is_false, outcomes)) else 1


def _arguments() -> Namespace:
    parser = ArgumentParser(prog="python -m canaries", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="the first seed")
    parser.add_argument("--bad", type=int, default=3, help="how often each kind of bad new pool is run")
    parser.add_argument("--honest", type=int, default=200, help="how many honest runs there are in all")
    parser.add_argument("--only", default="", help="only the kinds with this in their names")
    parser.add_argument("--write", action="store_true", help="also write the tables into docs/gates.md")
    return parser.parse_args()


def _jobs(chosen: Namespace) -> Sequence[Job]:
    """Return all runs in an order that the seed decides, so that kinds are neighbours by chance."""
    bad = [(each, chosen.seed + number) for each in BAD for number in range(chosen.bad)]
    honest = [(HONEST[number % len(HONEST)], chosen.seed + number) for number in range(chosen.honest)]
    jobs = [job for job in (*bad, *honest) if chosen.only in job[0].name]
    random.Random(chosen.seed).shuffle(jobs)
    return jobs


def _run(plane: Plane, cluster: Cluster, jobs: Iterable[Job], folder: Path, file: TextIO) -> Sequence[Outcome]:
    """Let every lane take the next run until there is none."""
    waiting: queue.SimpleQueue[Job] = queue.SimpleQueue()
    for job in jobs:
        waiting.put(job)
    outcomes: list[Outcome] = []

    def work(lane: Lane) -> None:
        while not waiting.empty():
            scenario, seed = waiting.get()
            try:
                outcome = watch(lane, cluster, scenario, seed)
            except Exception as error:  # one run that breaks is told, and counts as missing
                print(f"{scenario.name} (seed {seed}) broke: {error!r}", file=sys.stderr, flush=True)
                continue
            outcomes.append(outcome)
            file.write(json.dumps(asdict(outcome)) + "\n")
            print(_line(outcome, waiting.qsize()), file=sys.stderr, flush=True)

    with ExitStack() as servers:
        lanes = [_lane(plane, number, folder, servers) for number in range(1, LANES + 1)]
        threads = [threading.Thread(target=work, args=[lane]) for lane in lanes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return outcomes


def _lane(plane: Plane, number: int, folder: Path, servers: ExitStack) -> Lane:
    binary, targets = plane.programs.prometheus, plane.node.targets_file
    metrics = servers.enter_context(prometheus(binary, targets, folder / f"prometheus-{number}"))
    lane = Lane(plane, number, folder, metrics)
    lane.build()
    return lane


def _line(outcome: Outcome, left: int) -> str:
    ours = outcome.decided[0]
    told = f"stopped after {ours.at:.0f} s" if ours.at is not None else "held" if ours.held else "let through"
    return f"{outcome.scenario} (seed {outcome.seed}): {told}. {ours.why} {left} left."


def _is_false(outcome: Outcome) -> bool:
    return outcome.is_honest and outcome.decided[0].at is not None


if __name__ == "__main__":
    sys.exit(main())
