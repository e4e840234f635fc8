"""What the rollout guide's other two acts cost users: a trial, and the deletion of the old pool."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from bench.figures import Finding, Round, rows_of
from bot.domain.removal import CleanRules, Release
from bot.domain.rollout import Pool
from bot.domain.trial import Ask
from bot.operations.gateway_request import ask_gateway, body_of
from k8s.connection import connect
from k8s.helm import Helm
from k8s.helm_releases import newest
from k8s.removals import ClusterRemovals
from sandbox.dataplane.plane import ADAPTER, NAMESPACE, Plane
from sandbox.load.ledger import Record, failures
from sandbox.load.running import load
from sandbox.model_servers import MODEL
from sandbox.process import wait_until
from sandbox.world import CANARY, STABLE

ROUNDS, SPAN = 4, 5.0
"""Rounds, and seconds with a trial and without one in each."""
RATE, AT_ONCE, TOKENS = 10, 4, 8
"""What a trial sends by default: requests a second, so many at a time, and the longest answer."""
IDLE = 2.0
AFTERWARDS = 5.0
"""How long users go on after everything is gone."""


def trial_cost(plane: Plane, folder: Path) -> Finding:
    """Send a trial's requests for some seconds, and none for as long, in turns."""
    spans: list[tuple[float, float, bool]] = []
    with load(plane.url, folder, model=MODEL, adapter=ADAPTER, rate=20) as users:
        for number in range(2 * ROUNDS):
            begun, asks = time.time(), bool(number % 2)
            _send(plane.url, SPAN) if asks else time.sleep(SPAN)
            spans.append((begun, time.time(), asks))
        records = users.stop()
    rounds = [
        Round(_times(records, *spans[at][:2]), _times(records, *spans[at + 1][:2])) for at in range(0, len(spans), 2)
    ]
    return Finding(
        title="What a trial costs users",
        about=(
            f"Users send 20 requests a second. A trial sends {RATE} a second beside them, as `try` does. The time is a "
            "user's to the first token, and the floor is the same without a trial, in turns."
        ),
        rows=rows_of("a user's first token during a trial", rounds),
        notes=[f"{sum(failures(records).values())} of {len(records)} users' requests failed or were cut (goal: 0)"],
    )


def deletion_cost(plane: Plane, folder: Path) -> Finding:
    """Delete the old pool as `clean` does, once it is idle, while users have streams under way."""
    api = connect(plane.server.kubeconfig("admin")).api
    helm = Helm(str(plane.programs.helm), str(plane.server.kubeconfig("admin")))
    removals = ClusterRemovals(api, (NAMESPACE,), CleanRules(), helm)
    pool, release = Pool(NAMESPACE, STABLE), newest(api, NAMESPACE, STABLE)
    assert release is not None
    with load(plane.url, folder, model=MODEL, adapter=ADAPTER, rate=20, streams=4) as users:
        users.wait_for(100)
        plane.world.set_weights({STABLE: 0, CANARY: 1})
        begun = time.perf_counter()
        wait_until("an idle pool", lambda: _is_idle(removals, pool), seconds=60)
        drained, ended = time.perf_counter() - begun, time.time()
        things = removals.made_by(release)
        named = Release(namespace=NAMESPACE, name=STABLE, chart="", revision=release.revision)
        begun = time.perf_counter()
        assert removals.uninstall(named, things)
        wait_until("nothing left", lambda: not removals.left(things), seconds=60)
        gone = time.perf_counter() - begun
        time.sleep(AFTERWARDS)
        records = users.stop()
    before_and_after = Round(_times(records, ended - AFTERWARDS, ended), _times(records, ended, time.time()))
    lost = failures(records)
    cut = lost.get("cut", 0)
    return Finding(
        title="What deleting the old pool costs users",
        about=(
            "All traffic goes to the new pool. Users send 20 requests a second and have four streams of 30 seconds "
            f"under way, some on the old pool. Once that has served nothing for {IDLE:g} s, Helm uninstalls it. "
            f"The time is a user's to the first token, and the floor is the {AFTERWARDS:g} s before."
        ),
        rows=rows_of("a user's first token from the deletion on", [before_and_after]),
        notes=[
            f"{len(records)} requests: {sum(lost.values()) - cut} failed, {cut} cut (goal: 0)",
            f"idle {drained:.1f} s after the weights, all {len(things)} objects gone {gone:.1f} s after that",
        ],
    )


def _is_idle(removals: ClusterRemovals, pool: Pool) -> bool:
    """Say whether it has served nothing for a while."""
    until = time.perf_counter() + IDLE
    while time.perf_counter() < until:
        if removals.load(pool).requests:
            return False
        time.sleep(0.1)
    return True


def _send(url: str, seconds: float) -> None:
    """Send a trial's requests, at its rate."""
    where = urlsplit(url)
    ask = Ask(
        address=str(where.hostname),
        port=int(where.port or 80),
        host="",
        is_tls=False,
        path="/v1/completions",
        headers={},
        body=body_of("/v1/completions", MODEL, "Answer in one word: what is the capital of France?", TOKENS),
        timeout=timedelta(seconds=20),
    )
    until = time.perf_counter() + seconds
    with ThreadPoolExecutor(AT_ONCE) as pool:
        while (begun := time.perf_counter()) < until:
            list(pool.map(ask_gateway, [ask] * AT_ONCE))
            time.sleep(max(0.0, AT_ONCE / RATE - (time.perf_counter() - begun)))


def _times(records: Sequence[Record], begun: float, ended: float) -> list[float]:
    return [record.first_token for record in records if begun <= record.at < ended and not record.failed]
