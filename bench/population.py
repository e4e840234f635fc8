"""Many rollouts on real routes: started, written, accepted by the gateway, and waiting for their next step."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta

from bench.servers import Servers, memory_of
from bot.config.policy import DEFAULT_PLAN, Policy
from bot.domain.commands.origin import Origin, Surface
from bot.domain.commands.request import Command, Request, StartWords
from bot.domain.decisions.moves import Moment
from bot.domain.decisions.start import start
from bot.domain.errors import DependencyError
from bot.domain.rollout import Acceptance, Change, Pool, Rollout, Rule
from bot.engine.apply import new_decision
from bot.engine.route_port import RouteCopy
from bot.engine.store_port import Save
from bot.engine.tick import Ticker
from bot.service.parts import put_together
from bot.store.clock import SystemClock
from bot.store.connection import connect
from bot.store.store import Memory, RedisStore
from k8s.cluster import Cluster
from sandbox.errors import SandboxError
from sandbox.objects import pool_ref
from sandbox.process import wait_until
from sandbox.robot import robot
from sandbox.world import CANARY, STABLE, World, create_world

ALICE, CHANNEL = "U0ALICE001", "C0INFER001"
PLAN = replace(DEFAULT_PLAN, approve_at=(), interval=timedelta(hours=1))


def ignore(_: object) -> None:
    """Do nothing."""


@dataclass(frozen=True)
class Population:
    """Rollouts in one namespace, and where their records are."""

    world: World
    redis_url: str
    policy: Policy
    ids: Sequence[str]


def a_request(verb: str, subject: str, number: int, *, turn: int | None = None) -> Request:
    """Return a person's request; ``number`` makes its delivery unique."""
    command = Command(verb=verb, subject=subject)
    now = SystemClock().now()
    origin = Origin(surface=Surface.CHANNEL, channel=CHANNEL)
    return Request(command=command, by=ALICE, origin=origin, delivery=f"{verb}-{number}", at=now, turn=turn)


def populate(servers: Servers, namespace: str, count: int) -> Population:
    """Start ``count`` rollouts of the same two pools, each on its own route."""
    world = create_world(servers.kube, namespace)
    names = add_routes(world, count)
    url, policy = servers.redis_url(), Policy(namespaces=(namespace,), plan=PLAN)
    memory, cluster = memory_of(connect(url)), Cluster(servers.api(), (namespace,))
    with robot(servers.kube, namespace):
        ids = _start(memory.store, cluster, names)
        _write(memory, cluster, policy, ids)
    return Population(world, url, policy, ids)


def add_routes(world: World, count: int, prefix: str = "route") -> list[str]:
    """Add routes on which the stable pool has all the traffic, and return their names."""
    names = [f"{prefix}-{number}" for number in range(count)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: world.add_route(name, [pool_ref(STABLE)]), names))
    return names


def _start(store: RedisStore, cluster: Cluster, names: Sequence[str]) -> list[str]:
    """Save the first decision of each. One survey is enough, because the routes are alike."""
    scene = cluster.survey(CANARY, StartWords(weight=PLAN.steps[0], route=names[0]))
    uids = {copy.name: copy.uid for copy in cluster.list(cluster.namespaces[0])}
    routes = [(scene.copy.namespace, name, uids[name]) for name in names]
    changes = [_started(number, route, scene.stable, scene.canary, scene.rules) for number, route in enumerate(routes)]
    for change in changes:
        store.save(Save(change=change, expected=None, take_slot=True))
    return [change.after.id for change in changes]


def _started(number: int, route: tuple[str, str, str], stable: Pool, canary: Pool, rules: tuple[Rule, ...]) -> Change:
    moment = Moment(now=SystemClock().now(), decision=new_decision(), by=ALICE)
    request = a_request("start", CANARY, number)
    return start(request, PLAN, moment, route=route, stable=stable, canary=canary, rules=rules)


def a_rollout() -> Rollout:
    """Return a record as large as a real one, for a store without a cluster."""
    rule = Rule(
        key="#0f1e2d3c4b5a6978",
        index=0,
        stable_ref=f'{{"group":"inference.networking.k8s.io","kind":"InferencePool","name":"{STABLE}","weight":1}}',
        stable_index=0,
        stable_before=1,
        canary_before=None,
    )
    pools = Pool("default", STABLE), Pool("default", CANARY)
    return _started(0, ("default", "route", "uid"), *pools, (rule,)).after


def _write(memory: Memory, cluster: Cluster, policy: Policy, ids: Sequence[str]) -> None:
    """Write the first weights to the routes, and let the gateway accept them."""
    store, clock = memory.store, SystemClock()
    parts = put_together(cluster, store, memory.for_rebuild, clock, policy)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(parts.applier.apply, ids))
    # Before that, each tick would only ask again, and take the time that the robot needs for its answers.
    wait_until("the gateway's answers", lambda: _is_answered(cluster), seconds=180, pause=1)
    settle(store, parts.ticker, ids)
    if len(store.entries()) != len(ids):
        raise SandboxError("Not all rollouts are running.")


def _is_answered(cluster: Cluster) -> bool:
    """Say whether the gateway has said something about every route as it is now."""
    return all(_last_heard(copy) == copy.generation for copy in cluster.list(cluster.namespaces[0]))


def _last_heard(copy: RouteCopy) -> int:
    """Return the newest generation that a route's status speaks of, 0 if there is none."""
    parents = copy.document.get("status", {}).get("parents") or ()
    conditions = [condition for parent in parents for condition in parent["conditions"]]
    return max((int(condition["observedGeneration"]) for condition in conditions), default=0)


def settle(store: RedisStore, ticker: Ticker, ids: Sequence[str]) -> None:
    """Tick until the gateway has accepted what was written. A robot has to be running."""
    clock = SystemClock()
    with ThreadPoolExecutor(4) as pool:

        def tick(rollout_id: str) -> None:
            with suppress(DependencyError):  # the store may be late on a busy machine; the rollout becomes due again
                ticker.tick(rollout_id)

        def accepted() -> bool:
            list(pool.map(tick, [rollout_id for rollout_id, _ in store.claim_due(clock.now())]))
            return all(each.acceptance is Acceptance.ACCEPTED and each.is_applied for each in store.load_all(ids))

        wait_until("the rollouts: accepted by the gateway", accepted, seconds=180, pause=0.2)


def watch(cluster: Cluster, people: Population, told: Callable[[RouteCopy], None] = ignore) -> None:
    """Let the cluster keep copies of all routes, as it does in the bot, and call ``told`` for each change."""
    cluster.watch(route_changed=told, route_gone=ignore, pool_gone=ignore)
    last = people.world.namespace, f"route-{len(people.ids) - 1}"
    wait_until("the routes: kept", lambda: cluster.kept(*last) is not None)
