"""How soon a rollout pauses after somebody else edits its weights: the leader's watch, and what follows from it.

The time runs from sending the edit to saving the pause; the card follows later. The floor is the time until the watch
reports the same edit: the request itself, the API server and the network.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from bench.figures import Finding, Round, rows_of
from bench.population import Population, watch
from bench.servers import Servers, memory_of
from bot.engine.route_port import RouteCopy
from bot.engine.store_port import Save, Saved
from bot.recovery.changes import ChangeLane
from bot.service.parts import put_together
from bot.store.clock import SystemClock
from bot.store.connection import connect
from bot.store.store import RedisStore
from k8s.cluster import Cluster
from sandbox.process import wait_until

ROUNDS = 4


class Heard:
    """When each route or rollout was first heard of."""

    def __init__(self) -> None:
        self._at: dict[str, float] = {}

    def note(self, name: str) -> None:
        self._at.setdefault(name, time.perf_counter())

    def since(self, begun: float, name: str) -> float:
        """Wait until it is heard of, and return the seconds since ``begun``."""
        wait_until(name, lambda: name in self._at, seconds=10, pause=0.001)
        return self._at.pop(name) - begun

    def forget(self) -> None:
        self._at.clear()


class TimedStore:
    """The bot's store; it records when it saved a rollout."""

    def __init__(self, store: RedisStore, saved: Heard) -> None:
        self._store, self._heard = store, saved

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def save(self, save: Save) -> Saved:
        answer = self._store.save(save)
        self._heard.note(save.change.after.id)
        return answer


def measure(servers: Servers, people: Population) -> Finding:
    """Edit the weights of every route once."""
    told, saved = Heard(), Heard()
    cluster = Cluster(servers.api(), people.policy.namespaces)
    memory = memory_of(connect(people.redis_url))
    store = TimedStore(memory.store, saved)
    parts = put_together(cluster, store, memory.for_rebuild, SystemClock(), people.policy)
    changes = ChangeLane(parts.audit, lambda: True)
    changes.start()

    def tell(copy: RouteCopy) -> None:
        told.note(copy.name)
        changes.route_changed(copy)

    watch(cluster, people, tell)
    rounds = [_round(people, number, told, saved) for number in range(ROUNDS)]
    cluster.close()
    changes.stop()
    rows = rows_of("edit by another hand to rollout paused", rounds, goals={50: "1 s", 99: "1 s"})
    return Finding(title="An edit is noticed", about=__doc__ or "", rows=rows)


def _round(people: Population, number: int, told: Heard, saved: Heard) -> Round:
    floor, ours = [], []
    for place in range(number, len(people.ids), ROUNDS):
        name = f"route-{place}"
        told.forget()
        begun = time.perf_counter()
        with ThreadPoolExecutor(1) as editor:
            editor.submit(people.world.edit_weights, 60, 40, name=name)
            floor.append(told.since(begun, name))
            ours.append(saved.since(begun, people.ids[place]))
    return Round(floor, ours)
