"""What tests of a watch share: one that runs and ends, and what it has told."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kubernetes.client import ApiClient

from k8s.cluster import Cluster
from k8s.connection import connect
from k8s.document import Document
from k8s.httproute import HTTPROUTES
from k8s.watch import Seen, Watch
from sandbox.fault_proxy import FaultProxy
from sandbox.faults import Fault
from sandbox.process import wait_until
from sandbox.world import World
from tests.stage import NOTES

DEADLINE = 10.0


class Told:
    """What a watch has told, in short: ``there a`` or ``gone a``."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __call__(self, seen: Seen, document: Document) -> None:
        self.lines.append(f"{seen.value} {document['metadata']['name']}")

    def wait(self, *lines: str) -> None:
        wait_until(f"told {lines}", lambda: len(self.lines) >= len(lines), seconds=DEADLINE)
        assert self.lines == list(lines)


@contextmanager
def watching(api: ApiClient, namespace: str, told: Told, **options: Any) -> Iterator[Watch]:
    watch = Watch(api, HTTPROUTES, namespace, told, **options)
    watch.start()
    try:
        yield watch
    finally:
        watch.stop()
        watch.join(DEADLINE)


@contextmanager
def deaf_cluster(proxy: FaultProxy, world: World) -> Iterator[Cluster]:
    """Return a cluster whose watches are half open: they keep what was, and hear of nothing that comes after."""
    cluster = Cluster(connect(proxy.kubeconfig()).api, [world.namespace], notes=NOTES)
    cluster.watch(route_changed=ignore, route_gone=ignore, pool_gone=ignore)
    wait_until("a watch", lambda: cluster.kept(world.namespace, world.route) is not None, seconds=DEADLINE)
    proxy.inject(Fault.SILENT, path=world.namespace)
    try:
        yield cluster
    finally:
        cluster.close()


def ignore(_: object) -> None:
    """Hear, and do nothing."""


def live(watch: Watch) -> None:
    wait_until("a live watch", lambda: watch.is_live, seconds=DEADLINE)
