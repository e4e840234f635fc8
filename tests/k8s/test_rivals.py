"""Other people edit the same route all the time: nothing of theirs is lost, and the brake needs one try."""

import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kubernetes.client import ApiClient

from bot.domain.errors import RaceError
from bot.domain.rollout import Phase, Rollout
from k8s.cluster import Cluster
from sandbox import objects
from sandbox.kube import Kube, Object
from sandbox.objects import pool_ref, rule
from sandbox.world import CANARY, ROUTE, STABLE, World, create_namespace
from tests.k8s.build import CANARY as NEW_POOL
from tests.k8s.build import STABLE as OLD_POOL
from tests.k8s.build import a_moving, a_rollout
from tests.k8s.stories import back

OTHER = "other-model"


class Rival:
    """Somebody who edits everything but our weights, and remembers what the API server took from him."""

    EDITS = ("filters", "timeouts", "hostnames", "other weight", "label", "annotation", "ref filters", "parents")

    def __init__(self, kube: Kube, path: str) -> None:
        self._kube, self._path, self._count = kube, path, 0
        self.said: dict[str, Any] = {}

    def edit(self, what: str) -> None:
        self._count += 1
        value = f"v{self._count}"
        match what:
            case "label" | "annotation":
                self._keep({"metadata": {f"{what}s": {"rival": value}}}, what, value)
            case "hostnames":
                self._keep({"spec": {"hostnames": [f"{value}.example.com"]}}, what, [f"{value}.example.com"])
            case "parents":
                parents = [{"name": "inference-gateway"}, {"name": f"gateway-{self._count % 3}"}]
                self._keep({"spec": {"parentRefs": parents}}, what, [each["name"] for each in parents])
            case "timeouts":
                self._put("/spec/rules/0/timeouts", {"request": f"{self._count}s"}, what)
            case "other weight":
                self._put("/spec/rules/1/backendRefs/0/weight", self._count, what)
            case "filters":
                self._put("/spec/rules/0/filters", a_header(value), what)
            case "ref filters":
                self._put("/spec/rules/0/backendRefs/0/filters", a_header(value), what)

    def _keep(self, change: Object, what: str, value: Any) -> None:
        self._kube.merge(self._path, change)
        self.said[what] = value

    def _put(self, path: str, value: Any, what: str) -> None:
        self._kube.patch(self._path, [{"op": "add", "path": path, "value": value}])
        self.said[what] = value


def a_header(value: str) -> list[Object]:
    change = {"set": [{"name": "x-rival", "value": value}]}
    return [{"type": "RequestHeaderModifier", "requestHeaderModifier": change}]


def theirs(route: Object) -> dict[str, Any]:
    """Read back what the rival wrote."""
    meta, spec = route["metadata"], route["spec"]
    ours, other = spec["rules"]
    found = {
        "filters": ours.get("filters"),
        "timeouts": ours.get("timeouts"),
        "ref filters": ours["backendRefs"][0].get("filters"),
        "other weight": other["backendRefs"][0]["weight"],
        "hostnames": spec.get("hostnames"),
        "parents": [each["name"] for each in spec["parentRefs"]],
        "label": (meta.get("labels") or {}).get("rival"),
        "annotation": (meta.get("annotations") or {}).get("rival"),
    }
    return {key: value for key, value in found.items() if value is not None}


def a_world(kube: Kube, namespace: str, route: str = ROUTE) -> World:
    """A route with a rule of ours and one of somebody else; no pods are needed here."""
    world = World(kube, namespace, route)
    ours, other = rule([pool_ref(STABLE)]), rule([pool_ref(OTHER)], "/other")
    kube.create(objects.route(route, namespace, world.gateway, [ours, other]))
    return world


@pytest.fixture(scope="session")
def arena(kube: Kube) -> str:
    """A namespace for many routes."""
    name = f"test-{secrets.token_hex(4)}"
    create_namespace(kube, name)
    return name


def a_record(cluster: Cluster, world: World) -> Rollout:
    document = dict(cluster.read(world.namespace, world.route).document)
    stable, canary = (replace(pool, namespace=world.namespace) for pool in (OLD_POOL, NEW_POOL))
    stable, canary = replace(stable, name=STABLE), replace(canary, name=CANARY)
    return a_rollout(document, a_moving(document, 0, stable=stable, canary=canary), stable=stable, canary=canary)


def until_written(cluster: Cluster, rollout: Rollout, between: Callable[[], None]) -> int:
    """Read, let others at it, write; again until it is written. Return the number of tries."""
    for tries in range(1, 200):
        copy = cluster.read(rollout.namespace, rollout.route)
        between()
        try:
            cluster.write(copy, rollout, weights=True)
        except RaceError:
            continue
        return tries
    raise AssertionError("never written")


EDITS = st.lists(st.lists(st.sampled_from(Rival.EDITS), max_size=4), min_size=4, max_size=4)


@settings(max_examples=60, deadline=None)
@given(edits=EDITS)
@pytest.mark.timeout(300)
def test_whatever_is_edited_between_our_read_and_our_write_stays(
    api: ApiClient, kube: Kube, arena: str, edits: list[Any]
) -> None:
    world, cluster = a_world(kube, arena, f"route-{secrets.token_hex(4)}"), Cluster(api, [arena])
    rival = Rival(kube, world.route_path())
    rollout = a_record(cluster, world)
    rounds = iter(edits)

    def between() -> None:
        for what in next(rounds, []):
            rival.edit(what)

    for number, (phase, step) in enumerate([(Phase.PROGRESSING, 0), (Phase.PROGRESSING, 1)]):
        until_written(cluster, replace(rollout, phase=phase, step=step, decision=f"d-{number}"), between)
        assert world.weights() == [(STABLE, (90, 75)[number]), (CANARY, (10, 25)[number])]
    tries = until_written(cluster, back(rollout), between)

    route = world.http_route()
    assert tries == 1
    assert world.weights() == [(STABLE, 1)]
    assert {**theirs(route), **rival.said} == theirs(route)


@contextmanager
def busy(rival: Rival) -> Iterator[None]:
    """Let a rival edit without a pause, in a thread of his own."""
    stopping = threading.Event()

    def work() -> None:
        while not stopping.is_set():
            for what in Rival.EDITS:
                rival.edit(what)

    thread = threading.Thread(target=work)
    thread.start()
    yield
    stopping.set()
    thread.join()


def test_under_constant_fire_a_roll_back_needs_one_try(kube: Kube, namespace: str, cluster: Cluster) -> None:
    world = a_world(kube, namespace)
    rival = Rival(kube, world.route_path())
    rollout = a_record(cluster, world)
    steps: list[int] = []
    backs: list[int] = []
    with busy(rival):
        for number in range(60):
            record = replace(rollout, decision=f"d-{number}")
            steps.append(until_written(cluster, record, lambda: None))
            backs.append(until_written(cluster, replace(back(record), decision=f"b-{number}"), lambda: None))

    route = world.http_route()
    print(f"tries of a step: at most {max(steps)}, {sum(steps) / len(steps):.2f} in the mean")
    assert set(backs) == {1}
    assert world.weights() == [(STABLE, 1)]
    assert theirs(route) == rival.said
