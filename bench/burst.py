"""A hundred people click at once, each on their own rollout, and one more person rolls back after them.

Clicks go through the real app, from 32 threads, as Socket Mode does, and through the lanes behind it. A click's time
runs from the start of the burst to the API server's reply to its PATCH. Advance asks the gates first. The floor is a
burst of as many GETs and PATCHes of similar routes, from as many threads. For the roll back it is one more GET and
PATCH that does not queue, sent while the burst runs.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from kubernetes.client import ApiClient
from slack_bolt import BoltRequest

from bench.acknowledgement import Silent, a_click, require_taken
from bench.click import get_and_patch, make_floor
from bench.figures import Finding, Round, rows_of
from bench.population import Population, settle, watch
from bench.servers import Servers, memory_of
from bot.domain.rollout import Rollout
from bot.engine.route_port import RouteCopy, Written
from bot.service.parts import put_together
from bot.store.clock import SystemClock
from bot.store.connection import connect
from handlers.app import build
from handlers.buttons import Press, action_id
from k8s.cluster import Cluster
from sandbox.process import wait_until
from sandbox.robot import robot

ROUNDS, CLICKS, THREADS = 3, 100, 32


class TimedCluster(Cluster):
    """The bot's cluster; it records when it wrote a rollout's weights."""

    written: dict[str, float]

    def write(self, copy: RouteCopy, rollout: Rollout, *, weights: bool, **more: Any) -> Written:
        answer = super().write(copy, rollout, weights=weights, **more)
        if weights:
            self.written[rollout.id] = time.perf_counter()
        return answer


class Crowd:
    """People in front of the real app."""

    def __init__(self, servers: Servers, people: Population) -> None:
        self.ids, self._servers, self._people = people.ids, servers, people
        self._cluster = TimedCluster(servers.api(), people.policy.namespaces)
        self._cluster.written = {}
        watch(self._cluster, people)
        memory, clock = memory_of(connect(people.redis_url)), SystemClock()
        self._store = memory.store
        self._parts = put_together(self._cluster, memory.store, memory.for_rebuild, clock, people.policy)
        self._handlers = build(self._parts.engine, self._store, clock, people.policy, Silent("xoxb-bench"))
        self._clicked = 0

    def click(self, verb: str, rollout_id: str, turn: int) -> None:
        self._clicked += 1
        body = a_click(f"burst-{self._clicked}")
        body["actions"] = [
            {**body["actions"][0], "action_id": action_id(verb), "value": Press(rollout_id, turn).dumps()}
        ]
        require_taken(self._handlers.app.dispatch(BoltRequest(mode="socket_mode", body=body)))

    def burst(self, verb: str, *, behind: str = "") -> tuple[list[float], float]:
        """Click on every rollout at once, then roll back ``behind``; return the times, and the time of that one."""
        turns = {each.rollout.id: each.rollout.turn for each in self._store.load_all(self.ids)}
        self._cluster.written.clear()
        ids = self.ids[:CLICKS]
        begun = last = time.perf_counter()
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(lambda rollout_id: self.click(verb, rollout_id, turns[rollout_id]), ids))
            if behind:
                last = time.perf_counter()
                self.click("rollback", behind, 0)
        wanted = {*ids, behind} - {""}
        wait_until("the burst: written", lambda: wanted <= self._cluster.written.keys(), seconds=60)
        at = self._cluster.written
        return [at[rollout_id] - begun for rollout_id in ids], at.get(behind, last) - last

    def settle(self) -> None:
        """Let the gateway accept what was written."""
        with robot(self._servers.kube, self._people.world.namespace):
            settle(self._store, self._parts.ticker, self.ids[:CLICKS])

    def close(self) -> None:
        self._handlers.close()
        self._cluster.close()


def measure(servers: Servers, people: Population) -> Finding:
    """Advance all rollouts three times, then roll them all back three times."""
    make_floor(people)
    api, crowd = servers.api(), Crowd(servers, people)
    advances, overtaking = [], []
    for number in range(ROUNDS):
        floor, ours = _floor(api, people), crowd.burst("advance", behind=people.ids[CLICKS + number])
        advances.append(Round(floor[0], ours[0]))
        overtaking.append(Round([floor[1]], [ours[1]]))
        crowd.settle()
    backs = [Round(_floor(api, people)[0], crowd.burst("rollback")[0]) for _ in range(ROUNDS)]
    crowd.close()
    rows = [
        *rows_of(f"{CLICKS} roll backs at once: written", backs, goals={99: "2, or 1 s"}),
        *rows_of(f"{CLICKS} advances at once: written", advances),
        *rows_of("a roll back behind the advances: written", overtaking)[:1],
    ]
    return Finding(title="A burst", about=__doc__ or "", rows=rows)


def _floor(api: ApiClient, people: Population) -> tuple[list[float], float]:
    """Read and write as many routes at once; return the times, and the time of one more that does not queue."""

    def write(place: int) -> float:
        get_and_patch(api, people.world.namespace, place, 30)
        return time.perf_counter()

    begun = time.perf_counter()
    with ThreadPoolExecutor(THREADS) as pool:
        done = [pool.submit(write, place) for place in range(CLICKS)]
        last = time.perf_counter()
        alone = write(CLICKS) - last
        return [each.result() - begun for each in done], alone
