"""The guide's world with model servers that answer."""

from collections.abc import Iterator
from contextlib import contextmanager

from sandbox.kube import Kube
from sandbox.model_servers import model_servers
from sandbox.process import free_ports
from sandbox.world import CANARY, STABLE, World, create_world


@contextmanager
def a_serving_world(kube: Kube, namespace: str) -> Iterator[World]:
    """Build the world in a namespace, its route accepted by the gateway, and run its model servers."""
    (port,) = free_ports(1)
    world = create_world(kube, namespace, port=port)
    world.wait_observed()
    with model_servers(kube, [pod for pool in (STABLE, CANARY) for pod in world.servers(pool)], port):
        yield world
