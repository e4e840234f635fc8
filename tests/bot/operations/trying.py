"""Executors that ask pools through a gateway, step by step, on a real API server. A test answers for the gateway."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

from bot.domain.decisions.moves import Moment
from bot.domain.decisions.of_operations import begin
from bot.domain.operation import NewOperation, Operation
from bot.domain.trial import Answer, Ask, TrialRules
from bot.engine.lookup import Lookup
from bot.operations.executor import Done, Executor, Failed, Next, Step, Tools
from bot.operations.gateway_request import MARK
from bot.operations.try_out import Try
from k8s.connection import connect
from k8s.trials import ClusterTrials
from sandbox.apiserver import ApiServer
from sandbox.kube import path_of
from sandbox.model_servers import MODEL
from sandbox.objects import GATEWAY_API
from tests.builders import ALICE, CANARY
from tests.stage import Stage

CHANNEL = "C0INFER001"


@dataclass
class Gateway:
    """Answers as the pods of a pool in turns, and keeps what it was asked."""

    pods: Sequence[str]
    asked: list[Ask] = field(default_factory=list)

    def send(self, ask: Ask) -> Answer:
        self.asked.append(ask)
        pod = self.pods[len(self.asked) % len(self.pods)] if self.pods else ""
        return Answer(pod=pod, mark=ask.headers.get(MARK, ""), status=200, milliseconds=7, text="Paris")


@dataclass
class Trying:
    """An executor on a stage, and what becomes of one trial."""

    stage: Stage
    api_server: ApiServer
    executor: Executor = field(default_factory=Try)
    user: str = "admin"
    rules: dict[str, Any] = field(default_factory=dict)

    @property
    def tools(self) -> Tools:
        api, stage = connect(self.api_server.kubeconfig(self.user)).api, self.stage
        return Tools(
            routes=stage.cluster,
            rollouts=Lookup(stage.store, stage.clock),
            trials=ClusterTrials(api, stage.policy.namespaces, stage.clock.now),
            removals=cast(Any, None),
            deployments=cast(Any, None),
            way_back=cast(Any, None),
            clock=stage.clock,
            policy=replace(stage.policy, trial=TrialRules(model=MODEL), **self.rules),
            goes_on=lambda: True,
        )

    def begun(self, subject: str = CANARY, **parameters: str) -> Operation:
        asked = NewOperation(kind=self.executor.name, subject=subject, by=ALICE, channel=CHANNEL, parameters=parameters)
        begun = self.executor.begin(asked, self.tools)
        moment = Moment(now=self.stage.clock.now(), decision="d", by=ALICE)
        change = begin(
            replace(asked, subject=begun.subject),
            moment,
            operation_id="o-0a1b2c3d",
            state=begun.state,
            within=self.executor.within,
            slot=begun.slot,
        )
        return change.after

    def step(self, operation: Operation, *, twice: bool = False) -> tuple[Operation, Step]:
        for _ in range(1 + twice):
            step = self.executor.step(operation, self.tools)
        state = step.state if isinstance(step, Next | Done) else operation.state
        return replace(operation, state=state), step

    def ended(self, operation: Operation, *, twice: bool = False) -> tuple[list[str], Step]:
        """Take all steps, each of them ``twice`` if a process died after it, and return what was said."""
        said, step = list[str](), None
        for _ in range(60):
            operation, step = self.step(operation, twice=twice)
            if isinstance(step, Failed):
                return said, step
            assert isinstance(step, Next | Done)
            said += [step.said] if step.said else []
            if isinstance(step, Done):
                return said, step
            for name in self.routes():
                self.stage.world.wait_observed(name)
        raise AssertionError(f"It goes on and on: {said}")

    def routes(self) -> list[str]:
        found = self.stage.world.kube.get(path_of(GATEWAY_API, "HTTPRoute", self.stage.world.namespace))["items"]
        return sorted(one["metadata"]["name"] for one in found)
