"""What stands behind Slack and the terminal alike: the policy, the store, the cluster, and what decides and writes."""

from collections.abc import Callable
from dataclasses import dataclass

import redis

from bot.config.policy import Policy
from bot.config.settings import ClusterSettings, TerminalSettings, read_policy
from bot.engine.ports import Clock
from bot.operations.executor import Sources
from bot.operations.registry import EXECUTORS, Registry
from bot.service.operations import OperationParts, operation_parts
from bot.service.parts import Parts, put_together
from bot.store.clock import SystemClock
from bot.store.connection import connect
from bot.store.epoch import Sight
from bot.store.store import RedisStore
from k8s.client import connect as connect_cluster
from k8s.cluster import Cluster
from k8s.failure import THE_BOT


@dataclass(frozen=True, slots=True)
class Reach:
    """The cluster, as far as the policy lets us, and ``home``: the kubeconfig's namespace, or the pod's."""

    policy: Policy
    cluster: Cluster
    clock: Clock
    home: str


@dataclass(frozen=True, slots=True)
class Core(Reach):
    """The engine and what it works with."""

    client: "redis.Redis"
    store: RedisStore
    parts: Parts
    operations: OperationParts


def reach(settings: ClusterSettings, clock: Clock, *, account: str = THE_BOT, command: str = "") -> Reach:
    """Build what needs no Redis; nothing is connected yet.

    ``account`` is who is named where a right is missing, ``command`` what sentences tell people to type instead of
    the policy's slash command. Raises ConfigError, ClusterError.
    """
    connection = connect_cluster(settings.kubeconfig, account=account)
    policy = (
        read_policy(settings.config, default_namespace=connection.namespace)
        if settings.config
        else Policy(namespaces=(connection.namespace,))
    )
    cluster = Cluster(connection.api, policy.namespaces, command=command or policy.command, now=clock.now)
    return Reach(policy, cluster, clock, connection.namespace)


def core(
    settings: TerminalSettings,
    *,
    clock_of: Callable[["redis.Redis"], Clock] = lambda client: SystemClock(),
    account: str = THE_BOT,
    command: str = "",
    registry: Registry = EXECUTORS,
) -> Core:
    """Build the rest; Redis and the cluster may be away."""
    client = connect(settings.redis_url.get_secret_value())
    near = reach(settings, clock_of(client), account=account, command=command)
    sight = Sight()
    store = RedisStore(client, sight=sight)
    sources = Sources(routes=near.cluster, clock=near.clock, policy=near.policy, goes_on=lambda: True)
    operations = operation_parts(client, store, sight, sources, registry)
    parts = put_together(near.cluster, store, near.clock, near.policy, operations.requests.decide)
    return Core(near.policy, near.cluster, near.clock, near.home, client, store, parts, operations)
