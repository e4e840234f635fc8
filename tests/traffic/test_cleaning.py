"""`clean` on real traffic: after a rollout the old pool's release goes, once it is idle, and nobody's request fails."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import urllib3

from bot.domain.removal import CleanRules
from bot.domain.rollout import Phase, Pool
from k8s.connection import connect
from k8s.helm import Helm
from k8s.removals import ClusterRemovals
from sandbox.dataplane.live_world import behave
from sandbox.dataplane.plane import NAMESPACE, Plane
from sandbox.dataplane.pod_process import port_of
from sandbox.kube import path_of
from sandbox.load.ledger import failures
from sandbox.load.running import Load
from sandbox.model_server.behaviour import Behaviour
from sandbox.model_servers import MODEL
from sandbox.objects import GATEWAY_API, pool_ref, rule
from sandbox.process import wait_until
from sandbox.world import CANARY, ROUTE, STABLE
from tests.builders import ALICE, BOB, CAROL, a_rollout
from tests.scenarios.play import Play
from tests.traffic.operating import OperationCard

POLICY: dict[str, Any] = {
    "plan": {"steps": [50, 100], "every": "1s", "bake": "1s"},
    "approvals": {"at": []},
    "clean": {"allowed": True, "drained_for": "2s"},
}
MADE = (
    ("v1", "ServiceAccount", f"{STABLE}-epp"),
    ("v1", "ConfigMap", f"{STABLE}-epp"),
    ("v1", "Service", f"{STABLE}-epp"),
    ("apps/v1", "Deployment", f"{STABLE}-epp"),
    ("rbac.authorization.k8s.io/v1", "Role", f"{STABLE}-epp-sa"),
    ("rbac.authorization.k8s.io/v1", "RoleBinding", f"{STABLE}-epp-sa"),
    ("inference.networking.k8s.io/v1", "InferencePool", STABLE),
)
"""What the release of the old pool makes, among others."""
ALL = [f"{kind} {name}" for _, kind, name in MADE]


@pytest.fixture
def cleaning(play: Play, plane: Plane) -> Iterator[Play]:
    """Return people who have finished a rollout; afterwards the old pool is there again."""
    play.bot(**POLICY)
    play.start(f"{CANARY} 50")
    play.see("100 %, finished", seconds=30)
    yield play
    if not there(plane):
        plane.helm.run("rollback", STABLE, str(revision(plane)), "--namespace", NAMESPACE)
        plane.wait_serving(STABLE, 2)


def revision(plane: Plane) -> int:
    """Return the newest revision of the old pool's release that was installed."""
    history = plane.kube.get(path_of("v1", "Secret", NAMESPACE))["items"]
    mine = [one["metadata"]["labels"] for one in history if (one["metadata"].get("labels") or {}).get("name") == STABLE]
    return max(int(labels["version"]) for labels in mine)


def there(plane: Plane) -> list[str]:
    """Return what there is of all that the release makes."""
    return [
        f"{kind} {name}" for version, kind, name in MADE if plane.kube.exists(path_of(version, kind, NAMESPACE, name))
    ]


def routes(plane: Plane) -> list[str]:
    """Return the names of all HTTPRoutes."""
    return [one["metadata"]["name"] for one in plane.kube.get(path_of(GATEWAY_API, "HTTPRoute", NAMESPACE))["items"]]


def test_the_old_release_goes_after_somebody_else_agreed_and_costs_no_request(
    cleaning: Play, plane: Plane, users: Load
) -> None:
    before = revision(plane)
    press_delete(cleaning)
    shown = OperationCard(cleaning, f"clean {STABLE}")
    shown.see("wants approval")
    assert shown.lines("state")[1:] == [
        f"wait until `{STABLE}` has served nothing for 2s (the route has no timeout)",
        "end the rollout: nobody can roll back after that",
        f"run `helm uninstall {STABLE} -n {NAMESPACE}` (inferencepool 0.0.0, revision {before})",
        f"delete with it ServiceAccount, ConfigMap, Service and Deployment `{STABLE}-epp`; "
        f"Role and RoleBinding `{STABLE}-epp-non-sa`; Role and RoleBinding `{STABLE}-epp-sa`; "
        f"InferencePool `{STABLE}`",
        f"leave the model servers: 2 pods with `app={STABLE}`",
    ]
    assert there(plane) == ALL
    shown.approve()
    shown.see("done")
    put_back = f"All of it is deleted. `helm rollback {STABLE} {before} -n {NAMESPACE}` puts it back."
    assert shown.lines("progress")[-1] == put_back
    assert there(plane) == []
    cleaning.until("the rollout's card", lambda: "100 %, cleaned up" in str(cleaning.cards()))
    ended = f"*The old pool `{STABLE}` is being deleted*, as <@{BOB}> agreed. Nobody can roll back now."
    cleaning.posts(ended)
    cleaning.say(f"rollback {CANARY}", CAROL)
    cleaning.until("a refusal", lambda: any("The old pool is gone" in said for said in cleaning.private()))
    users.wait_for(20)
    assert failures(users.stop()) == {}


def press_delete(play: Play) -> None:
    """Alice presses the button of the finished card."""
    card = play.cards()[0]
    play.until("the button", lambda: "operation_clean" in str(play.cards()[0]["blocks"]))
    block_id, button = next(
        (block["block_id"], element)
        for block in play.cards()[0]["blocks"]
        for element in block.get("elements", [])
        if element.get("action_id") == "operation_clean"
    )
    play.slack.press(card["ts"], "operation_clean", button["value"], block_id=block_id, user=ALICE)


@contextmanager
def long_stream(plane: Plane) -> Iterator[Callable[[], bytes]]:
    """Read a stream of some seconds from a model server of the old pool, as one that began before the finish does."""
    pod = plane.pods(STABLE)[0]
    asks = {"model": MODEL, "prompt": "Tell me a long story.", "max_tokens": 100, "stream": True}
    behave(pod, token_ms=60)
    try:
        answer = urllib3.request(
            "POST",
            f"http://{pod['status']['podIP']}:{port_of(pod)}/v1/completions",
            json=asks,
            preload_content=False,
            retries=False,
        )
        yield lambda: answer.read()
        answer.release_conn()
    finally:
        behave(pod, token_ms=Behaviour().token_ms)


def test_whatever_happens_before_the_deletion_it_takes_what_people_have_agreed_to_and_no_more(
    cleaning: Play, plane: Plane
) -> None:
    """The last stream goes on, the release changes, and the bot is killed again and again."""
    (bot,), before = cleaning.bots, revision(plane)
    shown = OperationCard(cleaning, f"clean {STABLE}")
    cleaning.say("clean", ALICE)
    shown.approve()
    with long_stream(plane) as read:
        waits = f"`{STABLE}` still serves 1 request. I wait until it is idle."
        shown.says(waits)
        plane.helm.run("upgrade", STABLE, str(plane.programs.chart), "--namespace", NAMESPACE, "--reuse-values")
        shown.see("wants approval")
        assert f"revision {before + 1})" in shown.lines("state")[3]
        shown.approve()
        bot.server.kill()
        bot.start()
        assert there(plane) == ALL
        assert read().endswith(b"data: [DONE]\n\n")
    shown.says("Nobody can roll back any more")
    bot.server.kill()
    bot.start()
    shown.see("done")
    done = shown.lines("progress")
    assert f"`{STABLE}` serves nothing now. If that stays so for 2s, I delete it." in done
    assert there(plane) == []


def test_a_release_that_owns_a_route_stops_it_until_helm_is_told_to_leave_the_route(plane: Plane) -> None:
    chart, owns = str(plane.programs.chart), "experimentalHttpRoute.enabled"
    upgrade = ("upgrade", STABLE, chart, "--namespace", NAMESPACE, "--reuse-values", "--set")
    api = connect(plane.server.kubeconfig("rolloutbot")).api
    removals = ClusterRemovals(api, (NAMESPACE,), CleanRules(allowed=True), Helm())
    rollout = a_rollout(namespace=NAMESPACE, route=ROUTE, stable=Pool(NAMESPACE, STABLE))
    plane.world.set_rules([rule([pool_ref(CANARY)])])
    plane.helm.run(*upgrade, f"{owns}=true")
    (made,) = [name for name in routes(plane) if name != ROUTE]
    try:
        plane.world.set_rules([rule([pool_ref(CANARY)], path="/elsewhere")], made)
        (stop,) = removals.plan(rollout).stops
        assert stop.startswith(f"Helm release `{STABLE}` owns HTTPRoute `{made}`, and would delete it.")
        (told,) = re.findall(r"`kubectl annotate httproute (\S+) -n default (\S+)=(\S+)`", stop)
        plane.world.set_annotations({told[1]: told[2]}, told[0])
        plane.helm.run(*upgrade, f"{owns}=false")
        assert (removals.plan(rollout).stops, routes(plane)) == ((), [ROUTE, made])
    finally:
        plane.world.delete_route(made)


@pytest.fixture
def removals(plane: Plane) -> Iterator[ClusterRemovals]:
    """Return what removes pools, with the bot's rights; afterwards the old pool is there again."""
    plane.world.set_rules([rule([pool_ref(CANARY)])])
    kubeconfig = plane.server.kubeconfig("rolloutbot")
    helm = Helm(str(plane.programs.helm), str(kubeconfig))
    yield ClusterRemovals(connect(kubeconfig).api, (NAMESPACE,), CleanRules(allowed=True), helm)
    plane.helm.run("rollback", STABLE, str(revision(plane)), "--namespace", NAMESPACE)
    plane.wait_serving(STABLE, 2)


CLEANED = a_rollout(namespace=NAMESPACE, route=ROUTE, stable=Pool(NAMESPACE, STABLE), phase=Phase.CLEANED)


def test_a_deletion_that_stopped_when_the_pool_was_gone_goes_on_with_what_is_left_of_the_release(
    removals: ClusterRemovals, plane: Plane
) -> None:
    plane.kube.delete(path_of("inference.networking.k8s.io/v1", "InferencePool", NAMESPACE, STABLE))
    plan = removals.plan(CLEANED)
    kinds = sorted({thing.kind for thing in plan.things})
    assert kinds == ["ConfigMap", "Deployment", "Role", "RoleBinding", "Service", "ServiceAccount"]
    assert (plan.stops, plan.idle_for) == ((), timedelta(0))
    assert plan.release is not None
    assert removals.uninstall(plan.release, plan.things)
    wait_until("all of it gone", lambda: not removals.left(plan.things))
    assert there(plane) == []


def test_what_somebody_made_since_under_the_name_of_something_deleted_stays(
    removals: ClusterRemovals, plane: Plane
) -> None:
    plan, path = (
        removals.plan(replace(CLEANED, phase=Phase.FINISHED)),
        path_of("v1", "ConfigMap", NAMESPACE, f"{STABLE}-epp"),
    )
    document = plane.kube.get(path)
    plane.helm.run("uninstall", STABLE, "--namespace", NAMESPACE, "--keep-history")
    plane.kube.create({**document, "metadata": {"name": f"{STABLE}-epp", "namespace": NAMESPACE}})
    assert plan.release is not None
    assert removals.uninstall(plan.release, plan.things)
    assert [thing for thing in removals.left(plan.things) if thing.kind == "ConfigMap"] == []
    assert plane.kube.exists(path)
    plane.kube.delete(path)
