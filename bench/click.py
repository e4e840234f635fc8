"""From a click to the API server's reply that the route is written, in each round with 200 rollouts running.

The floor is what any bot without a watch needs: one GET of a route and one PATCH of its two weights. Its routes carry
an annotation as long as ours, and it uses the same client and the same server, in turns with the clicks. Both come at
random moments, as people do. The bot takes its copy of the route from its watch. Advance asks the gates first: one list
of pods, which the API server may answer from its cache. Since Kubernetes 1.31 any other list waits up to 100 ms, until
that cache has seen everything that was written before it.

The times of API requests and of Redis round trips are part of the times of the engine's calls to `routes` and
`store`.
"""

import random
import statistics
import time
from collections.abc import Iterable, Sequence
from typing import Any

from kubernetes.client import ApiClient

from bench.figures import Finding, Round, milliseconds, rows_of
from bench.ledger import Ledger, Watched, WatchedApi, WatchedRedis
from bench.population import Population, a_request, watch
from bench.servers import Servers, memory_of
from bot.service.parts import put_together
from bot.store.clock import SystemClock
from bot.store.connection import connect
from k8s import client
from k8s.cluster import Cluster
from k8s.document import ANNOTATION
from k8s.httproute import HTTPROUTES
from sandbox.objects import pool_ref
from sandbox.world import CANARY, STABLE

GOALS: dict[str, dict[int, str]] = {"advance": {50: "1.3", 99: "2"}, "rollback": {50: "1.1"}}
WEIGHTS = {"advance": 20, "rollback": 30}
"""The weights that the floor writes; each route's is another one each time."""
FLOORS = 101
REST = 0.1
"""A random rest of up to so many seconds, so that clicks do not fall in step with the API server's 100 ms."""


class Clicks:
    """An engine that is timed from the click to the reply to its PATCH."""

    def __init__(self, servers: Servers, people: Population) -> None:
        self.ledger = Ledger()
        self.api = WatchedApi(servers.api().configuration, self.ledger)
        memory = memory_of(WatchedRedis(connect(people.redis_url), self.ledger))
        self._store = memory.store
        self._written: float = 0
        self._seen: list[tuple[dict[str, int], dict[str, float]]] = []
        self._cluster = Cluster(self.api, people.policy.namespaces)
        watch(self._cluster, people)
        routes: Any = Watched(self._cluster, self.ledger, "routes", after=self._after)
        store: Any = Watched(self._store, self.ledger, "store")
        self._engine = put_together(routes, store, memory.for_rebuild, SystemClock(), people.policy).engine

    def close(self) -> None:
        self._cluster.close()

    def click(self, verb: str, rollout_id: str, number: int) -> float:
        """Click once and return the seconds until the route was written."""
        entry = self._store.load(rollout_id)
        assert entry is not None
        request = a_request(verb, rollout_id, number, turn=entry.rollout.turn)
        self.ledger.open()
        begun = time.perf_counter()
        self._engine.receive(request)
        self._engine.process(request)
        return self._written - begun

    def _after(self, method: str) -> None:
        if method == "write":
            self._written = time.perf_counter()
            self._seen.append((dict(self.ledger.counts), dict(self.ledger.seconds)))

    def spent(self, verb: str, times: Sequence[float]) -> list[str]:
        """Say what the clicks since the last call asked for until the route was written, and how long each took."""
        seen, self._seen = self._seen, []
        whole = statistics.median(times)
        lines = [f"{verb}, {milliseconds(whole)}, the median of {len(seen)} clicks:"]
        for name in sorted({name for _, seconds in seen for name in seconds}):
            count = statistics.median(counts.get(name, 0) for counts, _ in seen)
            took = statistics.median(seconds.get(name, 0.0) for _, seconds in seen)
            lines.append(f"  - {name}: {count:g} x, {milliseconds(took)}, {took / whole:.0%}")
        return lines


def measure(servers: Servers, populations: Iterable[Population]) -> Finding:
    """Advance each rollout, then roll it back; a round for each population."""
    rounds: dict[str, list[Round]] = {verb: [] for verb in GOALS}
    notes: list[str] = []
    for people in populations:
        make_floor(people)
        clicks = Clicks(servers, people)
        notes = []
        for verb in GOALS:
            rounds[verb].append(_round(clicks, people, verb))
            notes += clicks.spent(verb, rounds[verb][-1].ours)
        clicks.close()
    rows = [
        row
        for verb, goals in GOALS.items()
        for row in rows_of(f"{verb} click to route written", rounds[verb], goals=goals)
    ]
    return Finding(title="Click to route", about=__doc__ or "", rows=rows, notes=notes)


def _round(clicks: Clicks, people: Population, verb: str) -> Round:
    floor, ours = [], []
    for number, rollout_id in enumerate(people.ids):
        time.sleep(random.uniform(0, REST))
        floor.append(get_and_patch(clicks.api, people.world.namespace, number, WEIGHTS[verb] + number // FLOORS))
        time.sleep(random.uniform(0, REST))
        ours.append(clicks.click(verb, rollout_id, number))
    return Round(floor, ours)


def make_floor(people: Population) -> None:
    """Add routes like ours, with an annotation as long as ours."""
    world = people.world
    text = world.http_route("route-0")["metadata"]["annotations"][ANNOTATION]
    for number in range(FLOORS):
        world.add_route(f"floor-{number}", [pool_ref(STABLE, 90), pool_ref(CANARY, 10)])
        world.set_annotations({"bench/floor": text}, f"floor-{number}")


def get_and_patch(api: ApiClient, namespace: str, number: int, weight: int) -> float:
    """Read a route and set its two weights; return the seconds it took."""
    name = f"floor-{number % FLOORS}"
    begun = time.perf_counter()
    client.get(api, HTTPROUTES, namespace, name)
    refs = "/spec/rules/0/backendRefs"
    weights = [
        {"op": "replace", "path": f"{refs}/0/weight", "value": 100 - weight},
        {"op": "replace", "path": f"{refs}/1/weight", "value": weight},
    ]
    client.patch(api, HTTPROUTES, namespace, name, weights, ())
    return time.perf_counter() - begun
