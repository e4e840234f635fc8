"""What Slack and the terminal share: the policy, the store, the cluster, and what decides and writes."""

from collections.abc import Callable
from dataclasses import dataclass

import redis

from bot.config.policy import Policy
from bot.config.settings import ClusterSettings, TerminalSettings, read_policy
from bot.domain.commands.request import Request
from bot.engine.lookup import Lookup
from bot.engine.metrics_port import Metrics
from bot.engine.notes import Notes
from bot.engine.ports import Clock
from bot.engine.way_back import WayBack
from bot.gates.registry import policy_keys
from bot.operations.executor import Tools
from bot.operations.registry import EXECUTORS, Registry
from bot.prometheus.client import RESTS, client_of
from bot.service.install import ClusterId, Enter, Install
from bot.service.operations import OperationParts, operation_parts
from bot.service.parts import Parts, put_together
from bot.store.installs import Installs
from bot.store.store import RedisStore, open_memory
from k8s.cluster import Cluster
from k8s.connection import connect as connect_cluster
from k8s.deployments import ClusterDeployments
from k8s.failure import THE_BOT
from k8s.helm import Helm
from k8s.identity import cluster_mark, cluster_uid
from k8s.removals import ClusterRemovals
from k8s.trials import ClusterTrials


@dataclass(frozen=True, slots=True)
class ClusterParts:
    """The cluster, as far as the policy lets us, and ``home``: the kubeconfig's namespace, or the pod's."""

    policy: Policy
    cluster: Cluster
    trials: ClusterTrials
    removals: ClusterRemovals
    deployments: ClusterDeployments
    clock: Clock
    home: str
    cluster_id: ClusterId


@dataclass(frozen=True, slots=True)
class SharedParts(ClusterParts):
    """The engine and its parts."""

    client: "redis.Redis"
    install: Install
    store: RedisStore
    parts: Parts
    operations: OperationParts


def cluster_parts(
    settings: ClusterSettings, clock: Clock, *, account: str = THE_BOT, command: str = ""
) -> ClusterParts:
    """Build what needs no Redis; nothing is connected yet.

    ``account`` is who is named where a right is missing, ``command`` what sentences tell people to type instead of
    the policy's slash command. Raises ConfigError, ClusterError.
    """
    connection = connect_cluster(settings.kubeconfig, account=account)
    policy = (
        read_policy(settings.config, default_namespace=connection.namespace, gates=policy_keys())
        if settings.config
        else Policy(namespaces=(connection.namespace,))
    )
    notes = Notes(settings.keys())
    cluster = Cluster(connection.api, policy.namespaces, notes=notes, command=command or policy.command, now=clock.now)
    api = connection.api
    cluster_id = ClusterId(lambda: cluster_uid(api), cluster_mark(api.configuration))
    trials = ClusterTrials(api, policy.namespaces, clock.now)
    helm = Helm(settings.helm, settings.kubeconfig)
    removals = ClusterRemovals(api, policy.namespaces, policy.clean, helm)
    deployments = ClusterDeployments(api, policy.namespaces, policy.deploy, helm)
    return ClusterParts(policy, cluster, trials, removals, deployments, clock, connection.namespace, cluster_id)


def _metrics(policy: Policy, *, rests: float = RESTS) -> Metrics | None:
    return client_of(policy.evidence, rests=rests) if policy.evidence.prometheus else None


def shared_parts(
    settings: TerminalSettings,
    client: "redis.Redis",
    clock: Clock,
    *,
    account: str = THE_BOT,
    command: str = "",
    enter: Enter = Installs.find,
    fell_behind: Callable[[], None] = lambda: None,
    registry: Registry = EXECUTORS,
) -> SharedParts:
    """Build the rest; Redis and the cluster may be away.

    ``enter`` is how the install is found in Redis: a bot joins it. ``fell_behind`` is called when a card was marked.
    """
    near = cluster_parts(settings, clock, account=account, command=command)
    install = Install(Installs(client), settings.install or near.policy.install, near.cluster_id, enter)
    memory = open_memory(client, install.prefix, fell_behind=fell_behind)

    def decide(request: Request) -> None:
        operations.requests.decide(request)

    parts = put_together(
        near.cluster,
        memory.store,
        memory.for_rebuild,
        near.clock,
        near.policy,
        decide,
        _metrics(near.policy),
        past=_metrics(near.policy),
        own=_metrics(near.policy, rests=0),  # a slow query of one's own says nothing about the others
        operations=memory.operations,
    )
    tools = Tools(
        routes=near.cluster,
        rollouts=Lookup(memory.store, near.clock),
        trials=near.trials,
        removals=near.removals,
        deployments=near.deployments,
        way_back=WayBack(memory.store, near.clock, parts.applier),
        clock=near.clock,
        policy=near.policy,
        goes_on=lambda: True,
        past=parts.past,
    )
    operations = operation_parts(memory, tools, registry)
    own = (near.policy, near.cluster, near.trials, near.removals, near.deployments)
    shared = (*own, near.clock, near.home, near.cluster_id)
    return SharedParts(*shared, client, install, memory.store, parts, operations)
