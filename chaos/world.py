"""Where rollouts happen: a route and a new pool for each site, and fields on the route that the bot must not touch."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from sandbox import objects
from sandbox.kube import Kube, Object, path_of
from sandbox.objects import GATEWAY_API, pool_ref, rule
from sandbox.rights import give_rights
from sandbox.watching import Key
from sandbox.world import World, create_world

OLD = "llama3-old"
SITES_A_NAMESPACE = 20


@dataclass(frozen=True, slots=True)
class Site:
    """A route, the two pools that take turns on it, and the channel for it."""

    number: int
    namespace: str
    route: str
    new: str
    channel: str
    old: str = OLD

    @property
    def key(self) -> Key:
        """Return the namespace and the name of the route."""
        return self.namespace, self.route

    @property
    def path(self) -> str:
        return path_of(GATEWAY_API, "HTTPRoute", self.namespace, self.route)


def build(kube: Kube, prefix: str, count: int, channels: Sequence[str]) -> list[Site]:
    """Create namespaces, pools and routes, give the bot its rights, and return the sites."""
    sites = [_site(prefix, number, channels) for number in range(count)]
    worlds = {name: _namespace(kube, name) for name in sorted({site.namespace for site in sites})}
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda site: worlds[site.namespace].add_pool(site.new, servers=1), sites))
        list(pool.map(lambda site: kube.create(route_of(site)), sites))
    return sites


def _site(prefix: str, number: int, channels: Sequence[str]) -> Site:
    return Site(
        number=number,
        namespace=f"{prefix}-{number // SITES_A_NAMESPACE}",
        route=f"route-{number}",
        new=f"llama3-new-{number}",
        channel=channels[number % len(channels)],
    )


def _namespace(kube: Kube, name: str) -> World:
    """Create a namespace with a gateway and the old pool. Nobody uses the route that comes with it."""
    world = create_world(kube, name, route="elsewhere", pools=(OLD,), servers=1)
    give_rights(world.kube, world.namespace)
    return world


def route_of(site: Site) -> Object:
    """Return a site's route as its owners made it. Every fourth has a second rule for the pool."""
    moving = [rule([pool_ref(site.old)], "/v1")]
    if site.number % 4 == 0:
        moving.append({**rule([pool_ref(site.old, 7)], "/v2"), "name": "second"})
    others = [
        {"kind": "Service", "name": "web", "port": 80, "weight": 3},
        {"kind": "Service", "name": "api", "port": 80},
    ]
    made = objects.route(site.route, site.namespace, "inference-gateway", [*moving, rule(others, "/web")])
    made["metadata"]["labels"] = {"team": "inference", "site": str(site.number)}
    made["metadata"]["annotations"] = {"example.com/owner": "platform <platform@example.com>"}
    return made
