"""`clean` step by step, on a real API server, with pools that no release of Helm has made."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, cast

import pytest

from bot.domain.agreement import Agreement
from bot.domain.commands.tokens import words
from bot.domain.decisions.moves import Moment
from bot.domain.decisions.of_operations import begin
from bot.domain.errors import ClusterError, DependencyError, NotAllowedError, RouteError, UsageError, UserError
from bot.domain.operation import NewOperation, Operation
from bot.domain.removal import CleanRules, Load
from bot.domain.rollout import Phase
from bot.engine.way_back import WayBack
from bot.operations.clean import Clean
from bot.operations.executor import Ask, Asked, Done, Failed, Next, Step, Tools
from k8s.connection import connect
from k8s.document import ANNOTATION
from k8s.helm import Helm
from k8s.removals import ClusterRemovals
from sandbox.apiserver import ApiServer
from sandbox.kube import path_of
from sandbox.objects import pool_ref, rule
from sandbox.rights import give_rights
from tests.builders import ALICE, BOB, CANARY, STABLE
from tests.stage import Meddler, Stage

CHANNEL = "C0INFER001"
IDLE = timedelta(seconds=9)
PICKER = f"{STABLE}-epp"
PARTS = (
    ("inference.networking.k8s.io/v1", "InferencePool", STABLE),
    ("v1", "Service", PICKER),
    ("apps/v1", "Deployment", PICKER),
)
ALL = [f"{kind} {name}" for _, kind, name in PARTS]


@dataclass
class Cleaning:
    """An executor on a stage whose rollout is finished, and what becomes of one removal."""

    stage: Stage
    api_server: ApiServer
    loads: list[Load] = field(default_factory=lambda: [Load()])
    executor: Clean = field(default_factory=Clean)
    user: str = "admin"
    allowed: bool = True
    servers: bool = False

    def __post_init__(self) -> None:
        self.removals = Meddler(self.cluster)

    @property
    def cluster(self) -> ClusterRemovals:
        api, stage = connect(self.api_server.kubeconfig(self.user)).api, self.stage
        rules = CleanRules(drained_for=IDLE, model_servers=self.servers)
        return ClusterRemovals(api, stage.policy.namespaces, rules, Helm())

    @property
    def tools(self) -> Tools:
        stage = self.stage
        return Tools(
            routes=stage.cluster,
            rollouts=stage.lookup,
            trials=cast(Any, None),
            removals=cast(Any, self.removals),
            deployments=cast(Any, None),
            way_back=WayBack(stage.store, stage.clock, stage.applier),
            clock=stage.clock,
            policy=replace(stage.policy, clean=CleanRules(allowed=self.allowed)),
            goes_on=lambda: True,
        )

    def begun(self, subject: str = "", **parameters: str) -> Operation:
        asked = NewOperation(kind="clean", subject=subject, by=ALICE, channel=CHANNEL, parameters=parameters)
        begun = self.executor.begin(asked, self.tools)
        moment = Moment(now=self.stage.clock.now(), decision="d", by=ALICE)
        asked, within = replace(asked, subject=begun.subject), self.executor.within
        return begin(asked, moment, operation_id="o-0a1b2c3d", state=begun.state, within=within).after

    def step(self, operation: Operation, *, twice: bool = False) -> tuple[Operation, Step]:
        """Take a step, and whatever it asks for, Bob agrees to."""
        for _ in range(1 + twice):
            step = self.executor.step(operation, self.tools)
        assert isinstance(step, Next | Done | Ask)
        return agreed(replace(operation, state=json.loads(json.dumps(step.state))), step), step

    def ended(self, operation: Operation, *, twice: bool = False) -> list[str]:
        """Take all steps, each of them ``twice`` if a process died after it, and return what was asked and said."""
        said = list[str]()
        for _ in range(60):
            operation, step = self.step(operation, twice=twice)
            if isinstance(step, Ask):
                said += [f"? {line}" for line in step.lines]
                continue
            assert isinstance(step, Next | Done)
            said += [step.said] if step.said else []
            if isinstance(step, Done):
                return said
            self.stage.clock.forward(seconds=step.wait.total_seconds())
        raise AssertionError(f"It goes on and on: {said}")

    def there(self) -> list[str]:
        kube, namespace = self.stage.world.kube, self.stage.world.namespace
        return [
            f"{kind} {name}" for version, kind, name in PARTS if kube.exists(path_of(version, kind, namespace, name))
        ]


def agreed(operation: Operation, step: Step) -> Operation:
    """Return an operation to whose question Bob has agreed."""
    if not isinstance(step, Ask):
        return operation
    agreement = Agreement(lines=tuple(step.lines), digest=step.digest, needed=1, approvals=(BOB,))
    return replace(operation, agreement=agreement)


def finished(stage: Stage) -> None:
    """Alice rolls out, and finishes."""
    entry = stage.started(50)
    stage.say("promote")
    stage.wait_observed()
    stage.pass_time(seconds=1)
    stage.say("finish")
    assert stage.load(entry.rollout.id).rollout.phase is Phase.FINISHED


@pytest.fixture
def cleaning(stage: Stage, api_server: ApiServer) -> Cleaning:
    finished(stage)
    return Cleaning(stage, api_server)


def idle(cleaning: Cleaning) -> None:
    """Have the model servers say that they serve nothing; these ones do not run."""
    cleaning.removals = Meddler(Serving(cleaning.cluster, cleaning.loads))


def up_to(cleaning: Cleaning, do: str) -> Operation:
    """Return a removal of an idle pool whose next step is this one."""
    idle(cleaning)
    operation = cleaning.begun()
    while operation.state["do"] != do:
        operation, _ = cleaning.step(operation)
        cleaning.stage.clock.forward(seconds=3)
    return operation


@dataclass
class Serving:
    """The cluster's removals, where model servers answer."""

    cluster: ClusterRemovals
    loads: list[Load]

    def load(self, pool: Any) -> Load:
        return self.loads.pop(0) if len(self.loads) > 1 else self.loads[0]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.cluster, name)


PUT_BACK = "kubectl get configmap undo-o-0a1b2c3d -n NAMESPACE -o jsonpath='{.data.manifests}' | kubectl apply -f -"
GONE = f"All of it is deleted. `{PUT_BACK}` puts it back."
DELETES = f"Nobody can roll back any more. I delete InferencePool `{STABLE}`; Service and Deployment `{PICKER}`."


@pytest.mark.parametrize("twice", [False, True])
def test_an_idle_pool_goes_with_its_picker_and_can_be_put_back(cleaning: Cleaning, twice: bool) -> None:
    idle(cleaning)
    namespace, kube = cleaning.stage.world.namespace, cleaning.stage.world.kube
    before = {kind: kube.get(path_of(version, kind, namespace, name))["spec"] for version, kind, name in PARTS}
    assert cleaning.ended(cleaning.begun(), twice=twice) == [
        f"? wait until `{STABLE}` has served nothing for 9s (the route has no timeout)",
        "? end the rollout: nobody can roll back after that",
        f"? delete InferencePool `{STABLE}`; Service and Deployment `{PICKER}`",
        f"? leave the model servers: 2 pods with `app={STABLE}`",
        f"`{STABLE}` serves nothing now. If that stays so for 9s, I delete it.",
        DELETES,
        GONE.replace("NAMESPACE", namespace),
    ]
    assert cleaning.there() == []
    kept = kube.get(path_of("v1", "ConfigMap", namespace, "undo-o-0a1b2c3d"))["data"]["manifests"]
    for each in json.loads(kept)["items"]:
        kube.create(each)
    assert cleaning.there() == ALL
    after = {kind: kube.get(path_of(version, kind, namespace, name))["spec"] for version, kind, name in PARTS}
    given = ("clusterIP", "clusterIPs")
    assert {kind: {key: value for key, value in spec.items() if key not in given} for kind, spec in after.items()} == {
        kind: {key: value for key, value in spec.items() if key not in given} for kind, spec in before.items()
    }


@pytest.mark.parametrize("twice", [False, True])
def test_the_model_servers_go_too_where_the_policy_says_so(cleaning: Cleaning, twice: bool) -> None:
    cleaning.servers = True
    idle(cleaning)
    said = cleaning.ended(cleaning.begun(), twice=twice)
    world = cleaning.stage.world
    assert said[2:4] == [
        f"? delete InferencePool `{STABLE}`; Service and Deployment `{PICKER}`",
        f"? delete its model servers before that: Deployment `{STABLE}`",
    ]
    first = PUT_BACK.replace("undo-", "undo-servers-")
    both = f"All of it is deleted. `{first}` and `{PUT_BACK}` put it back."
    assert said[-1] == both.replace("NAMESPACE", world.namespace)
    deployments = [path_of("apps/v1", "Deployment", world.namespace, name) for name in (STABLE, CANARY)]
    assert (cleaning.there(), [world.kube.exists(path) for path in deployments]) == ([], [False, True])


class Killed(BaseException):
    """The process is killed: nothing of ours handles it."""


def kill() -> None:
    raise Killed


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("count", [1, 2])
def test_whenever_it_is_killed_around_a_deletion_all_goes_and_all_can_be_put_back(
    cleaning: Cleaning, moment: str, count: int
) -> None:
    cleaning.servers = True
    idle(cleaning)
    namespace, kube = cleaning.stage.world.namespace, cleaning.stage.world.kube
    operation, deletions, said = cleaning.begun(), 0, ""
    while operation.state["do"] != "gone" or said[:3] != "All":
        if operation.state["do"] in ("servers", "delete"):
            deletions += 1
            if deletions == count:
                getattr(cleaning.removals, moment)("delete", kill)
                with pytest.raises(Killed):
                    cleaning.step(operation)
        operation, step = cleaning.step(operation)
        if isinstance(step, Next | Done):
            said = step.said
            cleaning.stage.clock.forward(seconds=3)
    assert cleaning.there() == []
    for name in ("undo-servers-o-0a1b2c3d", "undo-o-0a1b2c3d"):
        for each in json.loads(kube.get(path_of("v1", "ConfigMap", namespace, name))["data"]["manifests"])["items"]:
            kube.create(each)
    assert cleaning.there() == ALL
    assert kube.exists(path_of("apps/v1", "Deployment", namespace, STABLE))


def test_model_servers_that_another_pool_selects_too_stay(cleaning: Cleaning) -> None:
    cleaning.servers = True
    idle(cleaning)
    world = cleaning.stage.world
    pool = world.kube.get(path_of("inference.networking.k8s.io/v1", "InferencePool", world.namespace, STABLE))
    meta = {"name": "beside", "namespace": world.namespace}
    world.kube.create(
        {
            "apiVersion": pool["apiVersion"],
            "kind": pool["kind"],
            "metadata": meta,
            "spec": {**pool["spec"], "endpointPickerRef": {"name": "beside-epp", "port": {"number": 9002}}},
        }
    )
    assert not [line for line in cleaning.ended(cleaning.begun()) if "model servers before" in line]
    assert world.kube.exists(path_of("apps/v1", "Deployment", world.namespace, STABLE))


def test_it_has_to_be_idle_all_the_time_also_between_two_looks(cleaning: Cleaning) -> None:
    cleaning.loads[:] = [
        Load(requests=2, finished=5),
        Load(finished=7),
        Load(finished=8),
        Load(finished=8),
        Load(requests=1, finished=8),
        Load(finished=9),
    ]
    idle(cleaning)
    operation, _ = cleaning.step(cleaning.begun())
    waited, said = timedelta(0), list[str]()
    while operation.state["do"] == "drain":
        operation, step = cleaning.step(operation)
        assert isinstance(step, Next)
        said += [step.said] if step.said else []
        cleaning.stage.clock.forward(seconds=step.wait.total_seconds())
        waited += step.wait
    idle_now = f"`{STABLE}` serves nothing now. If that stays so for 9s, I delete it."
    assert said == [
        f"`{STABLE}` still serves 2 requests. I wait until it is idle.",
        idle_now,
        f"`{STABLE}` still serves 1 request. I wait until it is idle.",
        idle_now,
    ]
    assert waited == timedelta(seconds=3 * 5) + IDLE


def test_where_nobody_can_see_whether_it_serves_people_are_asked_once_more(cleaning: Cleaning) -> None:
    said = cleaning.ended(cleaning.begun())
    pod = cleaning.stage.world.servers(STABLE)[0]["metadata"]["name"]
    blind = f"pod `{pod}` does not show how many requests it has at `/metrics`"
    assert said[4] == f"? not wait until `{STABLE}` is idle: {blind}. *What it still serves is cut off*"
    assert (said[8], cleaning.there()) == (DELETES, [])


def other_route(cleaning: Cleaning) -> None:
    cleaning.stage.world.add_route("other", [pool_ref(STABLE, 0)])


def mirror(cleaning: Cleaning) -> None:
    backend = {"group": "inference.networking.k8s.io", "kind": "InferencePool", "name": STABLE}
    copies = {"type": "RequestMirror", "requestMirror": {"backendRef": backend}}
    cleaning.stage.world.add_route("other", [pool_ref(CANARY)])
    cleaning.stage.world.set_rules([{**rule([pool_ref(CANARY)]), "filters": [copies]}], "other")


def exported(cleaning: Cleaning) -> None:
    change = {"metadata": {"annotations": {"inference.networking.x-k8s.io/export": "ClusterSet"}}}
    world = cleaning.stage.world
    world.kube.merge(path_of("inference.networking.k8s.io/v1", "InferencePool", world.namespace, STABLE), change)


def shared_picker(cleaning: Cleaning) -> None:
    change = {"spec": {"endpointPickerRef": {"name": PICKER}}}
    world = cleaning.stage.world
    world.kube.merge(path_of("inference.networking.k8s.io/v1", "InferencePool", world.namespace, CANARY), change)


STOPS: dict[str, tuple[Callable[[Cleaning], None], str]] = {
    "another route names it, at weight 0": (
        other_route,
        f"HTTPRoute `NAMESPACE/other` still names InferencePool `{STABLE}`. Take it out of there first.",
    ),
    "another route mirrors to it": (
        mirror,
        f"HTTPRoute `NAMESPACE/other` still names InferencePool `{STABLE}`. Take it out of there first.",
    ),
    "other clusters import it": (
        exported,
        f"InferencePool `{STABLE}` is exported to other clusters. "
        "Remove its annotation `inference.networking.x-k8s.io/export` first.",
    ),
    "the new pool has the same picker": (
        shared_picker,
        f"Service `{PICKER}` is the endpoint picker of InferencePool `{CANARY}` too.",
    ),
}


@pytest.mark.parametrize("name", list(STOPS))
def test_what_still_needs_the_pool_stops_it(cleaning: Cleaning, name: str) -> None:
    spoil, said = STOPS[name]
    spoil(cleaning)
    with pytest.raises(RouteError) as stopped:
        cleaning.begun()
    assert str(stopped.value) == said.replace("NAMESPACE", cleaning.stage.world.namespace) + " Nothing was deleted."


@pytest.mark.parametrize("name", list(STOPS))
def test_what_needs_the_pool_after_the_approval_stops_it_too(cleaning: Cleaning, name: str) -> None:
    spoil, _ = STOPS[name]
    operation, _ = cleaning.step(cleaning.begun())
    spoil(cleaning)
    with pytest.raises(RouteError, match=r"Nothing was deleted\.$"):
        cleaning.step(operation)
    assert cleaning.there() == ALL


def test_who_keeps_the_pool_while_people_are_asked_keeps_it(stage: Stage, api_server: ApiServer) -> None:
    stage.policy = replace(stage.policy, plan=replace(stage.policy.plan, keep=timedelta(hours=8)))
    stage.__post_init__()
    finished(stage)
    cleaning = Cleaning(stage, api_server)
    operation, _ = cleaning.step(cleaning.begun())
    stage.say("keep")
    with pytest.raises(RouteError, match=rf"^Nothing was deleted: somebody keeps `{STABLE}` longer\.$"):
        cleaning.step(operation)
    assert cleaning.there() == ALL
    again, step = cleaning.step(cleaning.begun())
    assert isinstance(step, Ask)
    assert again.state["kept_until"] > operation.state["kept_until"]


def test_a_roll_back_before_the_deletion_wins(cleaning: Cleaning) -> None:
    idle(cleaning)
    operation, _ = cleaning.step(cleaning.begun())
    cleaning.stage.say("rollback")
    with pytest.raises(RouteError, match=r"^Nothing was deleted: the rollout is rolled back now\.$"):
        cleaning.step(operation)
    assert cleaning.there() == ALL


def test_a_roll_back_at_the_last_moment_wins(cleaning: Cleaning) -> None:
    """It comes after the last look, and before the bot has said on the route that there is no way back."""
    operation = up_to(cleaning, "end")
    cleaning.stage.say("rollback")
    with pytest.raises(RouteError, match=rf"/llm-route` names `{STABLE}` now\. Nothing more was deleted\.$"):
        cleaning.step(operation)
    assert cleaning.there() == ALL


def test_once_the_deletion_begins_a_roll_back_is_refused(cleaning: Cleaning) -> None:
    up_to(cleaning, "delete")
    assert cleaning.stage.note_phase() is Phase.CLEANED
    with pytest.raises(UserError, match="The old pool is gone"):
        cleaning.stage.say("rollback")
    assert cleaning.there() == ALL


def set_weight_1(cleaning: Cleaning) -> None:
    cleaning.stage.world.set_rules([rule([pool_ref(CANARY, 1)])])


def remove_the_note(cleaning: Cleaning) -> None:
    cleaning.stage.world.set_annotations({ANNOTATION: None})


def rename_the_rule(cleaning: Cleaning) -> None:
    cleaning.stage.world.set_rules([rule([pool_ref(CANARY, 100)], path="/v2")])


@pytest.mark.parametrize("edit", [set_weight_1, remove_the_note, rename_the_rule])
def test_what_others_did_to_the_route_since_the_finish_does_not_keep_the_pool(
    cleaning: Cleaning, edit: Callable[[Cleaning], None]
) -> None:
    edit(cleaning)
    spec = cleaning.stage.world.http_route()["spec"]
    assert cleaning.ended(up_to(cleaning, "end"))[-1] == GONE.replace("NAMESPACE", cleaning.stage.world.namespace)
    assert (cleaning.there(), cleaning.stage.world.http_route()["spec"]) == ([], spec)
    assert cleaning.stage.note_phase() is Phase.CLEANED


def test_a_route_that_names_the_pool_at_the_last_moment_saves_it(cleaning: Cleaning) -> None:
    operation = up_to(cleaning, "end")
    other_route(cleaning)
    with pytest.raises(RouteError, match=rf"/other` names `{STABLE}` now\. Nothing more was deleted\.$"):
        cleaning.step(operation)
    assert (cleaning.there(), cleaning.stage.note_phase()) == (ALL, Phase.FINISHED)


def test_a_rollout_that_wants_the_pool_stops_it(cleaning: Cleaning) -> None:
    world = cleaning.stage.world
    world.add_pool("third")
    world.add_route("other", [pool_ref(STABLE)])
    cleaning.stage.start(10, subject="third", route="other")
    with pytest.raises(RouteError, match=rf"^Rollout `r-[0-9a-f]{{8}}` on `{world.namespace}/other` uses `{STABLE}`\."):
        cleaning.begun(STABLE)


def test_only_the_pool_of_a_finished_rollout_can_be_deleted(stage: Stage, api_server: ApiServer) -> None:
    stage.started(10)
    with pytest.raises(UsageError, match=rf"^The rollout to `{CANARY}` is progressing\. Only the old pool of a"):
        Cleaning(stage, api_server).begun()


def test_a_route_of_another_namespace_is_not_taken_for_the_rollouts(cleaning: Cleaning) -> None:
    world = cleaning.stage.world
    assert cleaning.begun(route=f"{world.namespace}/{world.route}").subject == STABLE
    with pytest.raises(RouteError):
        cleaning.begun(route=f"elsewhere/{world.route}")


def test_the_policy_has_to_allow_it(cleaning: Cleaning) -> None:
    cleaning.allowed = False
    with pytest.raises(
        UsageError, match=r"^The policy does not let me delete pools\. Set `clean\.allowed: true` in it\.$"
    ):
        cleaning.begun()


def test_nobody_begins_what_he_could_approve_under_another_name(cleaning: Cleaning) -> None:
    asked = NewOperation(kind="clean", subject="", by="unix:alice", channel=CHANNEL)
    with pytest.raises(NotAllowedError, match=r"^The policy does not say who Unix user `alice` is in Slack"):
        cleaning.executor.begin(asked, cleaning.tools)


def test_the_right_to_delete_is_one_of_its_own(cleaning: Cleaning) -> None:
    give_rights(cleaning.stage.world.kube, cleaning.stage.world.namespace)
    cleaning.user = "rolloutbot"
    cleaning.removals = Meddler(cleaning.cluster)
    with pytest.raises(RouteError, match=r"It needs rights of its own: apply `manifests/kustomize/clean`\.$"):
        cleaning.begun()


def test_a_deletion_that_stopped_half_way_goes_on_when_it_is_asked_for_again(cleaning: Cleaning) -> None:
    operation = up_to(cleaning, "delete")
    cleaning.stage.world.delete_picker(STABLE)
    assert cleaning.executor.left(operation) == (
        f"The deletion of InferencePool `{STABLE}`; Service and Deployment `{PICKER}` has begun. "
        "`clean` again goes on with it."
    )
    assert cleaning.executor.undo(operation, cleaning.tools) == Failed("What is deleted stays deleted.")
    assert cleaning.begun(CANARY).state == cleaning.begun().state
    assert cleaning.ended(cleaning.begun(STABLE))[2] == f"? delete InferencePool `{STABLE}`"
    assert cleaning.there() == []


def test_an_api_server_that_is_away_is_asked_again(cleaning: Cleaning) -> None:
    operation = up_to(cleaning, "delete")

    def lose_the_answer() -> None:
        raise ClusterError("The API server did not answer.")

    cleaning.removals.after("delete", lose_the_answer)
    with pytest.raises(DependencyError, match="did not answer"):
        cleaning.step(operation)
    assert cleaning.ended(operation)[-1] == GONE.replace("NAMESPACE", cleaning.stage.world.namespace)


@pytest.mark.parametrize(
    ("line", "asked"),
    {
        "": Asked(subject=""),
        STABLE: Asked(subject=STABLE),
        'reason="it is old" old-pool': Asked(subject="old-pool", parameters={"reason": "it is old"}),
        "route=llm-route": Asked(subject="", parameters={"route": "llm-route"}),
    }.items(),
)
def test_the_words_of_a_removal(line: str, asked: Asked) -> None:
    assert Clean().read(words(line)) == asked


@pytest.mark.parametrize(
    ("line", "said"),
    {
        "a b": "`b` is one word too many. Usage: `clean [POOL] [route=… namespace=… reason=…]`.",
        "rout=a": "`rout` is not a key of `clean`. Did you mean `route`?",
    }.items(),
)
def test_words_that_are_no_removal(line: str, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        Clean().read(words(line))
    assert str(refused.value) == said
