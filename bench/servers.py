"""The real servers that the benches run on, and the bot's own clients to them."""

import itertools
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field

import redis
import urllib3
from kubernetes.client import ApiClient

from bot.store.connection import connect
from bot.store.keys import prefix_of
from bot.store.store import Memory, open_memory
from k8s.connection import connect as connect_cluster
from sandbox.apiserver import ApiServer, api_server
from sandbox.kube import Kube
from sandbox.valkey import INSTALL, Valkey, valkey
from sandbox.workplace import workplace

PREFIX = prefix_of(INSTALL)


def memory_of(client: "redis.Redis") -> Memory:
    """Return the bot's memory in a database."""
    return open_memory(client, lambda: PREFIX)


@dataclass(frozen=True)
class Servers:
    """A running API server and a running Valkey."""

    api_server: ApiServer
    kube: Kube
    valkey: Valkey
    _databases: Iterator[int] = field(default_factory=itertools.count)

    def redis_url(self) -> str:
        """Return the address of an unused database, marked as complete, as a leader would mark it."""
        url = self.valkey.url(next(self._databases))
        with closing(connect(url)) as client:
            client.hset(f"{PREFIX}store", mapping={"epoch": 1, "writes": 0})
        return url

    def redis(self) -> "redis.Redis":
        """Return the bot's client to an unused database."""
        return connect(self.redis_url())

    def api(self) -> ApiClient:
        """Return the bot's client to the API server."""
        return connect_cluster(self.api_server.kubeconfig()).api

    def requests_served(self) -> "Counter[str]":
        """Return how many requests for the bot's resources the API server has counted, by verb and resource."""
        server = self.api_server
        headers = {"Authorization": f"Bearer {server.tokens['admin']}"}
        with urllib3.PoolManager(ca_certs=str(server.ca)) as pool:
            text = pool.request("GET", f"{server.url}/metrics", headers=headers).data.decode()
        counted: Counter[str] = Counter()
        for labels, number in re.findall(r"^apiserver_request_total\{(.*)\} (\S+)$", text, re.MULTILINE):
            said = dict(re.findall(r'(\w+)="([^"]*)"', labels))
            if said["resource"] in OURS:
                counted[f"{said['verb']} {said['resource']}"] += int(float(number))
        return counted


OURS = frozenset({"httproutes", "inferencepools", "pods", "services", "endpointslices", "gateways", "gatewayclasses"})


@contextmanager
def servers() -> Iterator[Servers]:
    """Start both, and stop them after the block."""
    with (
        workplace(prefix="bench") as place,
        api_server(place) as control_plane,
        valkey(place) as store,
        closing(control_plane.client()) as kube,
    ):
        yield Servers(control_plane, kube, store)
