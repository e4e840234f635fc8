"""How soon requests follow the weights, and what a change of weights costs those that are under way.

The time runs from the API server's reply to the PATCH of the weights (all to one pool, then all to the other) until a
request is answered by the pool that had none before. The floor is one such request through the gateway, just before.
Meanwhile users send 20 requests a second, and four of them read streams of 30 seconds all the time.
The gateway is Envoy with the sandbox's own controller, so this says what such a change costs at best.
"""

import time
from functools import partial

import urllib3

from bench import guide
from bench.figures import Finding, Round, rows_of
from sandbox.apiserver import api_server
from sandbox.dataplane.deployments import deployment_of
from sandbox.dataplane.live_world import behave
from sandbox.dataplane.plane import ADAPTER, Plane, data_plane
from sandbox.dataplane.programs import programs
from sandbox.load.ledger import failures
from sandbox.load.running import load
from sandbox.model_server.api import POD_HEADER
from sandbox.model_servers import MODEL
from sandbox.process import wait_until
from sandbox.workplace import workplace
from sandbox.world import CANARY, STABLE

ROUNDS, FLIPS = 4, 10
TOKEN_MS = 20
"""With it a long stream takes 30 seconds."""
REST = 0.3
"""Seconds between two changes, in which requests begin that the next one finds under way."""


def measure() -> list[Finding]:
    """Move all traffic from one pool to the other and back, and count what users lost; then see guide.py."""
    with (
        workplace(prefix="bench") as place,
        api_server(place) as server,
        data_plane(server, programs(), place.folder / "plane") as plane,
    ):
        for pod in (*plane.pods(STABLE), *plane.pods(CANARY)):
            behave(pod, token_ms=TOKEN_MS)
        with load(plane.url, place.folder / "load", model=MODEL, adapter=ADAPTER, rate=20, streams=4) as users:
            rounds = [_round(plane) for _ in range(ROUNDS)]
            records = users.stop()
        plane.world.set_weights({STABLE: 1, CANARY: 0})
        trial = guide.trial_cost(plane, place.folder / "trial")
        deletion = guide.deletion_cost(plane, place.folder / "deletion")
    lost = failures(records)
    cut = lost.get("cut", 0)
    followed = Finding(
        title="Requests follow the weights",
        about=__doc__ or "",
        rows=rows_of("weights written to first request by them", rounds),
        notes=[
            f"{len(records)} requests through {ROUNDS * FLIPS} changes of the weights: "
            f"{sum(lost.values()) - cut} failed, {cut} cut (goal: 0)"
        ],
    )
    return [followed, trial, deletion]


def _round(plane: Plane) -> Round:
    floor, ours = [], []
    for number in range(FLIPS):
        time.sleep(REST)
        target = (CANARY, STABLE)[number % 2]
        begun = time.perf_counter()
        _answers(plane.url)
        floor.append(time.perf_counter() - begun)
        plane.world.set_weights({STABLE: int(target == STABLE), CANARY: int(target == CANARY)})
        begun = time.perf_counter()
        wait_until(f"an answer of {target}", partial(_is_answered_by, target, plane.url), pause=0)
        ours.append(time.perf_counter() - begun)
    return Round(floor, ours)


def _is_answered_by(pool: str, url: str) -> bool:
    return _answers(url) == pool


def _answers(url: str) -> str:
    """Return which pool answers now."""
    answer = urllib3.request("GET", f"{url}/v1/models", retries=False)
    return deployment_of(answer.headers.get(POD_HEADER, ""))
