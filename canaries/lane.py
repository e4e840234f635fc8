"""One pair of pools on a data plane, with a route and users of its own; several lanes run side by side."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import urllib3

from sandbox import objects
from sandbox.dataplane.live_world import LiveWorld, behave
from sandbox.dataplane.plane import ADAPTER, NAMESPACE, Plane
from sandbox.dataplane.pod_process import port_of
from sandbox.dataplane.prometheus import Prometheus
from sandbox.dataplane.route_table import FAULT
from sandbox.kube import Object, path_of
from sandbox.load.running import Load, load
from sandbox.misbehaving import USUAL, change
from sandbox.model_servers import MODEL
from sandbox.objects import GATEWAY_API, pool_ref
from sandbox.world import GATEWAY

SERVERS = 2


@dataclass
class Lane:
    """``old`` is a prefix of ``new``, as in the guide."""

    plane: Plane
    number: int
    folder: Path
    prometheus: Prometheus
    """One of its own, so that no other lane misses it while it is away."""
    users: Load | None = None

    @property
    def old(self) -> str:
        """Return the old pool's name."""
        return f"lane-{self.number}"

    @property
    def new(self) -> str:
        """Return the new pool's name."""
        return f"{self.old}-new"

    @property
    def route(self) -> str:
        """Return the route's name."""
        return f"route-{self.number}"

    @property
    def host(self) -> str:
        """Return the host name that leads to the route."""
        return f"lane-{self.number}.test"

    @property
    def world(self) -> LiveWorld:
        """Return the lane's part of the world."""
        return LiveWorld(self.plane.kube, NAMESPACE, self.route)

    def build(self) -> None:
        """Make the pools and the route; all traffic goes to the old pool."""
        for pool in (self.old, self.new):
            self.plane.kube.create(objects.model_servers(pool, NAMESPACE, SERVERS, self.plane.port, adapters=[ADAPTER]))
            self.plane.install_pool(pool)
        route = objects.route(self.route, NAMESPACE, GATEWAY, [self._rule(100, 0)])
        route["spec"]["hostnames"] = [self.host]
        self.plane.kube.create(route)
        alone = objects.route(f"{self.route}-long", NAMESPACE, GATEWAY, [objects.rule([pool_ref(self.new, 1)])])
        alone["spec"]["hostnames"] = [f"long.{self.host}"]
        self.plane.kube.create(alone)
        for pool in (self.old, self.new):
            self.plane.wait_serving(pool, SERVERS)

    def _rule(self, old: int, new: int) -> Object:
        return objects.rule([pool_ref(self.old, old), pool_ref(self.new, new)])

    def weigh(self, new: int) -> None:
        """Set the weights, and wait until the gateway has them."""
        self.world.set_rules([self._rule(100 - new, new)])
        self.world.wait_observed()

    def pods(self, pool: str) -> Sequence[Object]:
        """Return a pool's model servers."""
        return self.world.servers(pool)

    # --- what happens to it

    def behave(self, pool: str, **how: Any) -> None:
        """Make all model servers of a pool behave so."""
        for pod in self.pods(pool):
            behave(pod, **how)

    def behave_one(self, pool: str, **how: Any) -> None:
        """Make one model server of a pool behave so."""
        behave(self.pods(pool)[0], **how)

    def unload(self, pool: str) -> None:
        """Take the adapter away from a pool."""
        self._adapter(pool, "unload_lora_adapter")

    def load(self, pool: str) -> None:
        """Give a pool the adapter again."""
        self._adapter(pool, "load_lora_adapter")

    def _adapter(self, pool: str, verb: str) -> None:
        for pod in self.pods(pool):
            address = f"http://{pod['status']['podIP']}:{port_of(pod)}/v1/{verb}"
            urllib3.request("POST", address, json={"lora_name": ADAPTER}, retries=False)

    def scale(self, pool: str, servers: int) -> None:
        """Give a pool so many model servers."""
        self.plane.scale(pool, servers)

    def misroute(self, fault: str | None) -> None:
        """Let the gateway misread the route."""
        path = path_of(GATEWAY_API, "HTTPRoute", NAMESPACE, self.route)
        self.plane.kube.merge(path, {"metadata": {"annotations": {FAULT: fault}}})

    def ask_with_long_prompts(self, rate: float, seconds: float) -> None:
        """Let people with long prompts ask the new pool alone, by a host name of its own."""
        with self._asking(rate, "long", host=f"long.{self.host}", only="long prompt"):
            time.sleep(seconds)

    def crash_one_each(self) -> None:
        """Kill one model server of each pool; the node starts it again."""
        for pool in (self.old, self.new):
            self.plane.node.process_of(NAMESPACE, self.pods(pool)[0]["metadata"]["name"]).crash()

    def lose_prometheus(self, seconds: float) -> None:
        """Freeze Prometheus for a while."""
        with self.prometheus.server.frozen():
            time.sleep(seconds)

    def burst(self, rate: float, seconds: float) -> None:
        """Send more requests for a while."""
        with self._asking(rate, f"burst-{time.monotonic():.0f}"):
            time.sleep(seconds)

    # --- its users

    @contextmanager
    def asked(self, rate: float, seed: int) -> Iterator[Load]:
        """Run users for the block."""
        with self._asking(rate, f"users-{seed}", seed) as self.users:
            yield self.users

    def send_users_away(self) -> None:
        """Let nobody ask any more, and wait for the last answers."""
        if self.users is not None:
            self.users.stop()

    @contextmanager
    def _asking(self, rate: float, name: str, seed: int = 1, *, host: str = "", only: str = "") -> Iterator[Load]:
        folder, at = self.folder / f"{self.old}-{name}-{time.monotonic_ns()}", host or self.host
        with load(
            self.plane.url, folder, model=MODEL, adapter=ADAPTER, rate=rate, host=at, only=only, seed=seed
        ) as running:
            yield running

    def reset(self) -> None:
        """Take everything back, and all traffic to the old pool."""
        self.misroute(None)
        for pool in (self.old, self.new):
            change(self.world, pool, USUAL)
        self.weigh(0)
