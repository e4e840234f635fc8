"""The guide's world in a namespace of its own, whose old pool Helm has installed, and what people do there."""

import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from bot.domain.commands.origin import in_slack
from bot.domain.commands.request import END, START, Command, OperationWords, Request, StartWords
from bot.domain.operation import Operation, operation_id
from bot.domain.plan import Wishes
from bot.domain.rollout import Phase
from bot.service.assembly import SharedParts
from chaos.writes.inventory import Inventory, take
from chaos.writes.worker import ALICE, CHANNEL, QuickClock, ask, parts_of
from sandbox.apiserver import ApiServer
from sandbox.bot_process import NOTE_KEY
from sandbox.dataplane.helm import Helm
from sandbox.dataplane.plane import chart_values
from sandbox.dataplane.programs import Programs
from sandbox.errors import SandboxError
from sandbox.fault_proxy import FaultProxy
from sandbox.kube import Kube, path_of
from sandbox.objects import PORT
from sandbox.rights import give_clean_rights, give_deploy_rights, give_rights
from sandbox.valkey import INSTALL, Valkey
from sandbox.world import CANARY, STABLE, World, create_world

NEXT: Final = f"{STABLE}-next"
_numbers = itertools.count(1)


@dataclass
class Site:
    """``environment`` leads an operation's worker through ``proxy``; people use ``parts``, which no fault hits."""

    world: World
    proxy: FaultProxy
    environment: Mapping[str, str]
    parts: SharedParts
    clock: QuickClock
    requests: Iterator[int] = field(default_factory=itertools.count)

    @property
    def namespace(self) -> str:
        return self.world.namespace

    def inventory(self) -> Inventory:
        """List what is there."""
        return take(self.world.kube, self.namespace)

    def begin(self, kind: str, subject: str, **parameters: str) -> str:
        """Alice begins an operation; returns its id."""
        words = OperationWords(kind=kind, parameters=parameters)
        request = self._say(Command(verb=START, subject=subject, operation=words))
        return operation_id(request.delivery, request.at)

    def cancel(self, operation: str) -> None:
        """Alice has it taken back."""
        self._say(Command(verb=END, subject=operation, operation=OperationWords()))

    def operation(self, operation: str) -> Operation:
        """Return an operation as it is stored."""
        found = self.parts.operations.records.load(operation)
        if found is None:
            raise SandboxError(f"Operation {operation} is lost.")
        return found

    def roll_out(self) -> None:
        """Alice rolls out and finishes."""
        words = StartWords(weight=100, wishes=Wishes(approve_at=()))
        self._say(Command(verb=START, subject=CANARY, start=words))
        self._pass_time()
        self._say(Command(verb="finish", subject=CANARY))
        self._pass_time()
        (entry,) = self.parts.store.entries()
        if entry.rollout.phase is not Phase.FINISHED:
            raise SandboxError(f"The rollout is {entry.rollout.phase}.")

    def _pass_time(self) -> None:
        self.world.wait_observed()
        self.clock.jump(timedelta(minutes=30))
        ticker = self.parts.parts.ticker
        for rollout_id, _ in self.parts.store.claim_due(self.clock.now()):
            ticker.tick(rollout_id)
        ticker.catch_up(brakes=False)

    def _say(self, command: Command) -> Request:
        delivery, now = f"{self.namespace}-{next(self.requests)}", self.clock.now()
        request = Request(command=command, by=ALICE, origin=in_slack(CHANNEL), delivery=delivery, at=now)
        ask(self.parts, request)
        return request


@dataclass(frozen=True)
class Sites:
    """The servers on which each case gets a site."""

    server: ApiServer
    kube: Kube
    proxy: FaultProxy
    valkey: Valkey
    programs: Programs
    folder: Path

    def new(self) -> Site:
        """Return a new site."""
        number = next(_numbers)
        namespace = f"writes-{number}"
        world = create_world(self.kube, namespace)
        give_rights(self.kube, namespace)
        give_clean_rights(self.kube, namespace)
        give_deploy_rights(self.kube, namespace)
        world.wait_observed()
        policy = self.folder / f"{namespace}.yaml"
        policy.write_text(json.dumps(self._policy(namespace)))
        environment = {
            "ROLLOUTBOT_CONFIG": str(policy),
            "ROLLOUTBOT_HELM": str(self.programs.helm),
            "ROLLOUTBOT_INSTALL": INSTALL,
            "ROLLOUTBOT_NOTE_KEYS": NOTE_KEY,
            "REDIS_URL": self.valkey.url(number),
        }
        clock = QuickClock()
        parts = parts_of({**environment, "KUBECONFIG": str(self.server.kubeconfig("rolloutbot"))}, clock)
        parts.parts.recovery.run()
        through = {**environment, "KUBECONFIG": str(self.proxy.kubeconfig("rolloutbot"))}
        return Site(world, self.proxy, through, parts, clock)

    def install_old_pool(self, site: Site) -> None:
        """Make the old pool a release of Helm's, and end its pods, whom nobody here could ask what they serve."""
        for pod in site.world.servers(STABLE):
            site.world.kube.delete(path_of("v1", "Pod", site.namespace, pod["metadata"]["name"]), grace_seconds=0)
        site.world.delete_pool(STABLE)
        site.world.delete_picker(STABLE)
        helm = Helm(self.programs.helm, self.server.kubeconfig(), self.folder / "helm")
        helm.install(STABLE, site.namespace, self.programs.chart, chart_values(STABLE, PORT))

    def _policy(self, namespace: str) -> Mapping[str, Any]:
        charts = {"inferencepool": str(self.programs.chart)}
        return {
            "namespaces": [namespace],
            "plan": {"steps": [100]},
            "approvals": {"at": []},
            "deploy": {"charts": charts, "approval": False, "model_servers": "{pool}"},
            "clean": {"allowed": True, "drained_for": "2s", "model_servers": True},
        }
