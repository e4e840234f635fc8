"""The guide's three use cases on real traffic: new nodes, a base model that keeps its adapters, another framework."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import urllib3

from sandbox.dataplane.plane import ADAPTER, NAMESPACE, Plane
from sandbox.dataplane.pod_process import port_of
from sandbox.kube import path_of
from sandbox.load.ledger import failures, shares
from sandbox.load.running import Load
from sandbox.objects import POOL_API
from sandbox.world import CANARY, STABLE
from tests.builders import ALICE
from tests.scenarios.play import Play
from tests.traffic.asking import who_answers
from tests.traffic.operating import OperationCard
from tests.traffic.test_cleaning import revision

NODES, SGLANG = f"{STABLE}-h200", f"{STABLE}-sglang"
POLICY: dict[str, Any] = {
    "plan": {"steps": [50, 100], "every": "1s", "bake": "1s"},
    "approvals": {"at": []},
    "clean": {"allowed": True, "model_servers": True, "drained_for": "2s"},
}


def a_policy(plane: Plane) -> dict[str, Any]:
    """Return a policy that lets people deploy pools with model servers of their own."""
    charts = {"inferencepool": str(plane.programs.chart)}
    return {**POLICY, "deploy": {"charts": charts, "keys": ["servers.*"], "model_servers": "{pool}"}}


@pytest.fixture
def third(plane: Plane) -> Iterator[Plane]:
    """Return a data plane from which other pools are taken away afterwards, and on which the old one is there again."""
    servers = plane.kube.get(path_of("apps/v1", "Deployment", NAMESPACE, STABLE))
    yield plane
    plane.world.set_weights({STABLE: 1})
    for name in (NODES, SGLANG):
        if has_pool(plane, name):
            plane.helm.uninstall(name, NAMESPACE)
        plane.kube.delete(path_of("apps/v1", "Deployment", NAMESPACE, name))
    if not has_pool(plane, STABLE):
        plane.helm.run("rollback", STABLE, str(revision(plane)), "--namespace", NAMESPACE)
    if not plane.kube.exists(path_of("apps/v1", "Deployment", NAMESPACE, STABLE)):
        meta = {key: servers["metadata"][key] for key in ("name", "namespace")}
        plane.kube.create({**servers, "metadata": meta})
    plane.wait_serving(STABLE, 2)


def has_pool(plane: Plane, name: str) -> bool:
    return plane.kube.exists(path_of(POOL_API, "InferencePool", NAMESPACE, name))


def deploy(play: Play, pool: str, *changes: str) -> OperationCard:
    """Alice deploys a pool like the old one, Bob approves, and it can take traffic; returns the card."""
    play.say(f"deploy {pool} from={STABLE} weight=50 set {' '.join(changes)}", ALICE)
    card = OperationCard(play, f"deploy {pool}")
    card.approve()
    card.see("done", seconds=60)
    return card


def roll_out(play: Play, pool: str) -> None:
    """Alice rolls out to a pool, up to the end."""
    play.say(f"start {pool} 50", ALICE)
    see_finished(play, pool)


def see_finished(play: Play, pool: str) -> None:
    """Wait until the rollout to a pool is finished."""
    play.until(f"{pool} to be finished", lambda: finished(play, pool), seconds=40)


def finished(play: Play, pool: str) -> bool:
    titles = [str(card["blocks"][0]["text"]["text"]) for card in play.cards()]
    return f"{pool}  ·  100 %, finished" in titles


def clean(play: Play, pool: str) -> list[str]:
    """Alice has an old pool deleted, Bob approves; return what the card has told."""
    play.say(f"clean {pool}", ALICE)
    card = OperationCard(play, f"clean {pool}")
    card.approve()
    card.see("done", seconds=60)
    return card.lines("progress")


def test_new_nodes_from_the_deployment_of_their_pool_to_the_deletion_of_the_old_one(
    play: Play, third: Plane, users: Load
) -> None:
    play.bot(**a_policy(third))
    deployed = deploy(play, NODES, "servers.replicas=1", "servers.nodeSelector.accelerator=h200")
    made = third.kube.get(path_of("apps/v1", "Deployment", NAMESPACE, NODES))["spec"]
    assert made["template"]["spec"]["nodeSelector"] == {"accelerator": "h200"}
    deployed.press("start", ALICE)
    see_finished(play, NODES)
    told = clean(play, STABLE)
    assert told[-1].startswith("All of it is deleted. `kubectl get configmap undo-servers-o-")
    assert third.pods(STABLE) == []
    assert [name for name in (STABLE, NODES) if has_pool(third, name)] == [NODES]
    assert who_answers(third.url, 10) == {NODES: 10}
    records = users.stop()
    assert failures(records) == {}
    assert set(shares(records)) == {STABLE, NODES}


def adapters(plane: Plane, verb: str) -> Callable[[], None]:
    """Return how to load or unload the adapter on the new pool's model servers."""

    def change() -> None:
        for pod in plane.pods(CANARY):
            address = f"http://{pod['status']['podIP']}:{port_of(pod)}/v1/{verb}_lora_adapter"
            asked = {"lora_name": ADAPTER, "lora_path": f"/adapters/{ADAPTER}"}
            assert urllib3.request("POST", address, json=asked).status == 200

    return change


@pytest.fixture
def without_adapter(plane: Plane) -> Iterator[Callable[[], None]]:
    """Take the adapter off the new pool; return how to load it again."""
    adapters(plane, "unload")()
    loaded: list[bool] = []

    def load() -> None:
        adapters(plane, "load")()
        loaded.append(True)

    yield load
    if not loaded:
        load()


def test_a_base_model_without_one_of_the_adapters_is_stopped_before_its_first_weight(
    play: Play, plane: Plane, users: Load, without_adapter: Callable[[], None]
) -> None:
    play.bot(**POLICY)
    play.start(f"{CANARY} 50")
    lacks = f"`{CANARY}` lacks the LoRA adapter `{ADAPTER}` of `{STABLE}`: requests for it would fail there."
    play.until("a refusal", lambda: any(lacks in said for said in play.private()))
    assert (plane.world.weights(), play.cards()) == ([(STABLE, 1)], [])
    without_adapter()
    play.start(f"{CANARY} 50")
    play.see("100 %, finished", seconds=40)
    assert who_answers(plane.url, 10, model=ADAPTER) == {CANARY: 10}
    assert failures(users.stop()) == {}


def test_another_framework_takes_the_traffic_and_gives_it_back_and_its_load_is_read_before_it_is_deleted(
    play: Play, third: Plane, users: Load
) -> None:
    play.bot(**a_policy(third))
    deploy(play, SGLANG, "servers.replicas=1", "servers.image=lmsysorg/sglang:v0.5.4")
    (pod,) = third.pods(SGLANG)
    metrics = urllib3.request("GET", f"http://{pod['status']['podIP']}:{port_of(pod)}/metrics").data
    assert (b"sglang:num_running_reqs" in metrics, b"vllm:" in metrics) == (True, False)
    roll_out(play, SGLANG)
    assert who_answers(third.url, 10) == {SGLANG: 10}
    roll_out(play, STABLE)
    told = clean(play, SGLANG)
    assert f"`{SGLANG}` serves nothing now. If that stays so for 2s, I delete it." in told
    assert third.pods(SGLANG) == []
    assert third.world.weights() == [(STABLE, 100)]
    assert failures(users.stop()) == {}
