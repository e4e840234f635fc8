"""`deploy` with the real Helm and the extension's own chart: shown first, agreed to, followed, and cleaned up."""

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from bot.config.policy import Policy
from bot.domain.commands.tokens import words
from bot.domain.decisions.moves import Moment
from bot.domain.decisions.of_operations import begin
from bot.domain.deployment import DeployRules
from bot.domain.errors import ClusterError, RouteError, UserError
from bot.domain.operation import NewOperation, Operation
from bot.domain.rollout import Pool
from bot.engine.lookup import Lookup
from bot.operations.deploy import GIVE_UP, SETTLED, Deploy
from bot.operations.executor import Ask, Done, Failed, Next, Step, Tools
from k8s.cluster import Cluster
from k8s.connection import connect
from k8s.deployments import ClusterDeployments
from k8s.helm import Helm
from sandbox import objects
from sandbox.dataplane.plane import ADAPTER, NAMESPACE, Plane
from sandbox.fault_proxy import fault_proxy
from sandbox.faults import Fault
from sandbox.kube import path_of
from sandbox.objects import pool_ref
from sandbox.process import wait_until
from sandbox.world import CANARY, STABLE
from tests.builders import ALICE
from tests.memory import a_store
from tests.scenarios.play import Play
from tests.stage import HandClock
from tests.traffic.asking import who_answers
from tests.traffic.operating import OperationCard

NEXT = f"{STABLE}-next"
KEYS = ("inferencePool.modelServers.matchLabels.*", "inferenceExtension.*")
ID = "o-0a1b2c3d"


@pytest.fixture
def next_pool(plane: Plane) -> Iterator[Plane]:
    """Return a data plane from which a third pool is taken away afterwards."""
    yield plane
    if has_release(plane):
        plane.helm.uninstall(NEXT, NAMESPACE)
    plane.kube.delete(path_of("apps/v1", "Deployment", NAMESPACE, NEXT))


def has_release(plane: Plane) -> bool:
    """Say whether Helm has a release of the new pool, in whatever state."""
    secrets = plane.kube.get(path_of("v1", "Secret", NAMESPACE))["items"]
    return any((one["metadata"].get("labels") or {}).get("name") == NEXT for one in secrets)


def add_servers(plane: Plane) -> None:
    """Start the new pool's model servers, which in the guide exist already."""
    plane.kube.create(objects.model_servers(NEXT, NAMESPACE, 1, plane.port, adapters=[ADAPTER]))


def is_there(plane: Plane) -> bool:
    """Say whether the new pool is there."""
    return plane.kube.exists(path_of("inference.networking.k8s.io/v1", "InferencePool", NAMESPACE, NEXT))


def test_a_new_pool_is_shown_agreed_to_installed_and_followed_until_it_can_take_traffic(
    play: Play, next_pool: Plane
) -> None:
    """The bot is killed while it installs, and the model servers come late."""
    plane = next_pool
    bot = play.bot(deploy={"charts": {"inferencepool": str(plane.programs.chart)}, "keys": [*KEYS]})
    play.say(f"deploy {NEXT} from={STABLE} set inferenceExtension.failureMode=FailOpen", ALICE)
    shown = OperationCard(play, f"deploy {NEXT}")
    shown.see("wants approval")
    assert shown.lines("state")[1:] == [
        f"run `helm install {NEXT} {plane.programs.chart} --version 0.0.0 -n {NAMESPACE}`",
        f"make ServiceAccount, ConfigMap, Service and Deployment `{NEXT}-epp`; "
        f"Role and RoleBinding `{NEXT}-epp-non-sa`; Role and RoleBinding `{NEXT}-epp-sa`; InferencePool `{NEXT}`",
        f"differ from `{STABLE}` in the InferencePool, spec.endpointPickerRef.failureMode: `FailClose` → `FailOpen`",
        f"send requests to pods with `app={NEXT}`: there is none yet",
        "move no traffic: `start` does that",
    ]
    assert not is_there(plane)
    shown.approve()
    play.until("the pool", lambda: is_there(plane))
    bot.server.kill()
    bot.start()
    shown.says("selects no pod")
    add_servers(plane)
    shown.see("done")
    assert shown.lines("progress")[-1] == (
        f"`{NEXT}` can take traffic: 1 of 1 model servers are ready. `start {NEXT} 10` begins the rollout."
    )
    assert plane.helm.releases(NAMESPACE).count(NEXT) == 1
    assert plane.world.weights() == [(STABLE, 1)]


def test_its_model_servers_are_copied_where_the_policy_names_those_of_the_old_pool(
    play: Play, next_pool: Plane
) -> None:
    """The bot is killed after it has made them, and makes them once."""
    plane = next_pool
    charts = {"inferencepool": str(plane.programs.chart)}
    bot = play.bot(deploy={"charts": charts, "keys": ["servers.replicas", "servers.args.*"], "model_servers": "{pool}"})
    play.say(f"deploy {NEXT} from={STABLE} set servers.replicas=1 servers.args.--seed=7", ALICE)
    shown = OperationCard(play, f"deploy {NEXT}")
    shown.see("wants approval")
    assert shown.lines("state")[2:] == [
        f"make ServiceAccount, ConfigMap, Service and Deployment `{NEXT}-epp`; "
        f"Role and RoleBinding `{NEXT}-epp-non-sa`; Role and RoleBinding `{NEXT}-epp-sa`; "
        f"InferencePool and Deployment `{NEXT}`",
        f"differ from `{STABLE}` in the Deployment, spec.replicas: `2` → `1`",
        "and in the Deployment, containers[0].args[5]: nothing → `--seed=7`",
        f"send requests to the 1 model server of Deployment `{NEXT}`",
        "move no traffic: `start` does that",
    ]
    deployment = path_of("apps/v1", "Deployment", NAMESPACE, NEXT)
    assert not plane.kube.exists(deployment)
    shown.approve()
    play.until("the model servers", lambda: plane.kube.exists(deployment))
    bot.server.kill()
    bot.start()
    shown.see("done")
    made = plane.kube.get(deployment)
    assert made["metadata"]["generation"] == 1
    assert made["spec"]["template"]["spec"]["containers"][0]["args"][-1] == "--seed=7"
    assert len(plane.pods(NEXT)) == 1
    assert plane.world.weights() == [(STABLE, 1)]


def test_while_helm_the_gateway_and_prometheus_all_hang_a_roll_back_lands(play: Play, plane: Plane) -> None:
    """More people deploy than there are threads for it; Helm would be ended after 25 seconds."""
    hangs = play.folder / "helm"
    hangs.write_text("#!/bin/sh\nexec sleep 60\n")
    hangs.chmod(0o755)
    play.environment = {"ROLLOUTBOT_HELM": str(hangs)}
    play.bot(deploy={"charts": {"inferencepool": str(plane.programs.chart)}})
    play.start()
    play.see("10 %")
    with plane.envoy.server.frozen(), plane.prometheus.server.frozen():
        for number in range(20):
            play.slack.command(f"deploy next-{number} from={STABLE}", user=ALICE)
        play.slack.command(f"rollback {CANARY}", user=ALICE)
        play.see("rolled back", seconds=15)
        assert plane.world.weights() == [(STABLE, 1)]
    plane.world.wait_observed()
    assert who_answers(plane.url, 10) == {STABLE: 10}


# --- step by step


@dataclass
class Deploying:
    """An executor on the data plane, with the bot's rights."""

    plane: Plane
    redis_url: str
    executor: Deploy = field(default_factory=Deploy)
    clock: HandClock = field(default_factory=HandClock)

    model_servers: str = ""

    def __post_init__(self) -> None:
        api = connect(self.plane.server.kubeconfig("rolloutbot")).api
        charts = {"inferencepool": str(self.plane.programs.chart)}
        rules = DeployRules(charts=charts, settable=(*KEYS, "servers.*"), model_servers=self.model_servers)
        helm = Helm(str(self.plane.programs.helm), str(self.plane.server.kubeconfig("rolloutbot")))
        nobody = cast(Any, None)
        self.tools = Tools(
            routes=Cluster(api, (NAMESPACE,)),
            rollouts=Lookup(a_store(self.redis_url), self.clock),
            trials=nobody,
            removals=nobody,
            deployments=ClusterDeployments(api, (NAMESPACE,), rules, helm),
            way_back=nobody,
            clock=self.clock,
            policy=Policy(namespaces=(NAMESPACE,), deploy=replace(rules, approval=False)),
            goes_on=lambda: True,
        )

    def begun(self, line: str) -> Operation:
        """Begin what somebody typed."""
        read = self.executor.read(words(line))
        asked = NewOperation(
            kind="deploy", subject=read.subject, by=ALICE, channel="C1", parameters=dict(read.parameters)
        )
        begun = self.executor.begin(asked, self.tools)
        moment = Moment(now=self.clock.now(), decision="d", by=ALICE)
        return begin(asked, moment, operation_id=ID, state=begun.state, within=self.executor.within).after

    def step(self, operation: Operation) -> tuple[Operation, Step]:
        """Take one step."""
        step = self.executor.step(operation, self.tools)
        assert isinstance(step, Next | Done | Ask)
        return replace(operation, state=json.loads(json.dumps(step.state))), step


@pytest.fixture
def deploying(next_pool: Plane, redis_url: str) -> Deploying:
    return Deploying(next_pool, redis_url)


@pytest.mark.parametrize(
    ("line", "said"),
    {
        f"{STABLE} from={STABLE}": f"Helm release `{STABLE}` (deployed) exists already. Nothing was made.",
        f"{NEXT} from={STABLE} inferencePool.modelServers.matchLabels.app={STABLE}": (
            f"InferencePool `{NEXT}` would select pods of `{STABLE}` too: `app={STABLE}` and `app={STABLE}`. "
            "Set another label. Nothing was made."
        ),
        f"{NEXT} from={STABLE} inferencePool.targetPortNumber=1": (
            "The policy does not let you set `inferencePool.targetPortNumber`. "
            "It allows `inferencePool.modelServers.matchLabels.*`, `inferenceExtension.*`, `servers.*`."
        ),
        f"{NEXT} from={STABLE} servers.replicas=1": (
            "The policy names no model servers to copy. Name a Deployment with `deploy.model_servers`."
        ),
        f"{NEXT} from={STABLE} namespace=other": "I work in no namespace `other`.",
        f"{NEXT} from=nobody": f"InferencePool `{NAMESPACE}/nobody` is not there (404).",
    }.items(),
)
def test_what_cannot_be_deployed_is_said_before_anything_is_made(deploying: Deploying, line: str, said: str) -> None:
    with pytest.raises(UserError) as refused:
        deploying.begun(line)
    assert (str(refused.value), is_there(deploying.plane)) == (said, False)


@pytest.mark.parametrize(
    "value", ["v1\n          securityContext: {privileged: true}", "v1\n---\nkind: Secret", "v1\u2028x", "v1\ttab"]
)
def test_a_value_of_several_lines_is_refused(deploying: Deploying, value: str) -> None:
    with pytest.raises(UserError, match=r"^The value of `inferenceExtension.image.tag` is no line of at most 1000"):
        deploying.begun(f'{NEXT} from={STABLE} set "inferenceExtension.image.tag={value}"')


def test_an_installation_that_fails_is_told_in_helms_words_and_taken_away(deploying: Deploying) -> None:
    plane = deploying.plane
    ready, _ = deploying.step(deploying.begun(f"{NEXT} from={STABLE} inferenceExtension.replicas=many"))
    with pytest.raises(RouteError, match=r"^Helm said: INSTALLATION FAILED: .*replicas"):
        deploying.step(ready)
    assert deploying.executor.step(ready, deploying.tools) == Failed(f"Helm could not install it: {failure(plane)}")
    left = f"Helm release `{NEXT}` may be there, in whole or in part, and its model servers."
    assert deploying.executor.left(ready) == left
    deploying.executor.undo(ready, deploying.tools)
    assert (is_there(plane), has_release(plane)) == (False, False)


def test_model_servers_that_it_made_go_with_an_installation_that_fails(deploying: Deploying) -> None:
    plane = deploying.plane
    deploying.model_servers = "{pool}"
    deploying.__post_init__()
    deployment = path_of("apps/v1", "Deployment", NAMESPACE, NEXT)
    ready, _ = deploying.step(deploying.begun(f"{NEXT} from={STABLE} inferenceExtension.replicas=many"))
    with pytest.raises(RouteError, match=r"^Helm said: INSTALLATION FAILED"):
        deploying.step(ready)
    assert plane.kube.exists(deployment)
    gone = f"Helm release `{NEXT}` is uninstalled. Deployment `{NEXT}` is deleted."
    assert deploying.executor.undo(ready, deploying.tools) == Done(state=ready.state, said=gone)
    assert (is_there(plane), has_release(plane), plane.kube.exists(deployment)) == (False, False, False)


def test_a_process_that_died_between_the_model_servers_and_helm_left_nothing_to_make_twice(
    deploying: Deploying,
) -> None:
    plane = deploying.plane
    deploying.model_servers = "{pool}"
    deploying.__post_init__()
    ready, _ = deploying.step(deploying.begun(f"{NEXT} from={STABLE}"))
    copy = deploying.tools.deployments.draft(Pool(NAMESPACE, STABLE), NEXT, {}, ID).servers
    assert copy is not None
    labels = {**copy["metadata"]["labels"], "rolloutbot": ID}
    plane.kube.create({**copy, "metadata": {**copy["metadata"], "labels": labels}})
    installed, _ = deploying.step(ready)
    assert (installed.state["do"], plane.helm.releases(NAMESPACE).count(NEXT)) == ("follow", 1)
    assert deploying.tools.deployments.servers(Pool(NAMESPACE, NEXT), ID) == [NEXT]


def test_a_deployment_of_that_name_stops_it_and_stays(deploying: Deploying) -> None:
    deploying.model_servers = "{pool}"
    deploying.__post_init__()
    add_servers(deploying.plane)
    with pytest.raises(UserError, match=rf"^Deployment `{NEXT}` exists already\. Nothing was made\.$"):
        deploying.begun(f"{NEXT} from={STABLE}")
    with pytest.raises(UserError, match=r"`servers.shell` is nothing that I can change"):
        deploying.begun(f"{NEXT} from={STABLE} servers.shell=sh")


def failure(plane: Plane) -> str:
    """Return what Helm says of the new pool's release."""
    said = json.loads(plane.helm.run("status", NEXT, "-n", NAMESPACE, "-o", "json"))
    return str(said["info"]["description"])


def test_a_lost_answer_installs_nothing_twice(deploying: Deploying) -> None:
    ready, _ = deploying.step(deploying.begun(f"{NEXT} from={STABLE}"))
    deploying.step(ready)
    again, step = deploying.step(ready)
    assert (again.state["do"], isinstance(step, Next)) == ("follow", True)
    assert deploying.plane.helm.releases(NAMESPACE).count(NEXT) == 1


def test_a_helm_that_loses_an_answer_while_it_takes_all_away_is_run_again(deploying: Deploying) -> None:
    plane = deploying.plane
    ready, _ = deploying.step(deploying.begun(f"{NEXT} from={STABLE}"))
    installed, _ = deploying.step(ready)
    with fault_proxy(plane.server) as proxy, proxy.failing(Fault.LOST, method="DELETE", times=1):
        through = Helm(str(plane.programs.helm), str(proxy.kubeconfig("rolloutbot")))
        deployments = cast(ClusterDeployments, deploying.tools.deployments)
        with pytest.raises(ClusterError, match=r"^Helm said: "):
            replace(deployments, helm=through).remove(Pool(NAMESPACE, NEXT), ID)
    assert deploying.executor.undo(installed, deploying.tools) == Done(
        state=installed.state, said=f"Helm release `{NEXT}` is uninstalled."
    )
    assert (is_there(plane), has_release(plane)) == (False, False)


def test_what_somebody_made_meanwhile_stops_it(deploying: Deploying) -> None:
    ready, _ = deploying.step(deploying.begun(f"{NEXT} from={STABLE}"))
    name = {"name": f"{NEXT}-epp", "namespace": NAMESPACE}
    config_map = path_of("v1", "ConfigMap", NAMESPACE, name["name"])
    deploying.plane.kube.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": name})
    try:
        with pytest.raises(RouteError, match=rf"^Helm said: .* ConfigMap \"{NEXT}-epp\" in namespace .* exists"):
            deploying.step(ready)
    finally:
        deploying.plane.kube.delete(config_map)


def test_an_installation_that_a_dead_process_left_is_begun_again(deploying: Deploying) -> None:
    plane = deploying.plane
    deploying.clock.set(datetime.now(UTC))
    ready, _ = deploying.step(deploying.begun(f"{NEXT} from={STABLE}"))
    command = [str(plane.programs.helm), "install", NEXT, str(plane.programs.chart), "-n", NAMESPACE, "--wait"]
    values = ["--labels", f"rolloutbot={ID}", "--set", f"inferencePool.modelServers.matchLabels.app={NEXT}"]
    with subprocess.Popen([*command, *values], env={**os.environ, **plane.helm.environment()}) as dying:
        wait_until("the pool", lambda: is_there(plane))
        dying.kill()
    waits, step = deploying.step(ready)
    assert (waits.state["do"], step) == ("install", Next(state=ready.state, wait=timedelta(seconds=3)))
    deploying.clock.set(datetime.now(UTC) + GIVE_UP)
    removed, step = deploying.step(waits)
    assert step == Next(state=ready.state, said="The installation was interrupted. I begin again.")
    installed, _ = deploying.step(removed)
    assert (installed.state["do"], plane.helm.releases(NAMESPACE).count(NEXT)) == ("follow", 1)


def test_it_is_taken_away_only_while_no_route_names_it(deploying: Deploying) -> None:
    plane = deploying.plane
    ready, _ = deploying.step(deploying.begun(f"{NEXT} from={STABLE}"))
    installed, _ = deploying.step(ready)
    plane.world.add_route("other", [pool_ref(NEXT, 0)], path="/other")
    try:
        with pytest.raises(RouteError, match=rf"^HTTPRoute `{NAMESPACE}/other` names `{NEXT}` now"):
            deploying.executor.undo(installed, deploying.tools)
    finally:
        plane.world.delete_route("other")
    assert deploying.executor.undo(installed, deploying.tools) == Done(
        state=installed.state, said=f"Helm release `{NEXT}` is uninstalled."
    )
    assert (is_there(plane), has_release(plane)) == (False, False)
    waits = deploying.executor.undo(installed, deploying.tools)
    assert waits == Next(state=installed.state, wait=timedelta(seconds=3))  # a frozen process may still begin one
    deploying.clock.forward(seconds=SETTLED.total_seconds())
    assert deploying.executor.undo(installed, deploying.tools) == Done(
        state=installed.state, said="There is nothing to take away."
    )
