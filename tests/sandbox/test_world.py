"""The guide's world, and the robot that plays kubelet and gateway controller in it."""

from sandbox.gateway import Answer
from sandbox.kube import Kube, path_of
from sandbox.objects import GATEWAY_API, POOL_API, pool_ref
from sandbox.pods import is_ready
from sandbox.process import wait_until
from sandbox.robot import Robot
from sandbox.world import CANARY, GATEWAY, STABLE, World, create_world

ACCEPTED = ("True", "Accepted")
RESOLVED = ("True", "ResolvedRefs")


def test_the_route_starts_as_in_the_guide(world: World) -> None:
    assert world.http_route()["spec"] == {
        "parentRefs": [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "inference-gateway"}],
        "rules": [
            {
                "backendRefs": [
                    {"group": "inference.networking.k8s.io", "kind": "InferencePool", "name": STABLE, "weight": 1}
                ],
                "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
            }
        ],
    }


def test_both_pools_can_serve_from_the_start(world: World) -> None:
    assert {pool: world.ready_servers(pool) for pool in (STABLE, CANARY)} == {STABLE: 2, CANARY: 2}
    assert {pool: _picker_endpoints(world, pool) for pool in (STABLE, CANARY)} == {STABLE: [True], CANARY: [True]}


def test_a_second_world_has_the_names_it_is_given(kube: Kube, namespace: str) -> None:
    world = create_world(kube, namespace, route="chat", pools=("blue", "green", "red"), servers=1, gateway="edge")

    assert world.weights() == [("blue", 1)]
    assert [world.ready_servers(pool) for pool in ("blue", "green", "red")] == [1, 1, 1]


def test_the_gateway_answers_every_change_of_a_route_with_its_generation(world: World) -> None:
    for canary in (10, 25, 50):
        world.set_weights({STABLE: 100 - canary, CANARY: canary})
        generation = world.http_route()["metadata"]["generation"]
        world.wait_observed()

        assert world.conditions() == {"Accepted": (*ACCEPTED, generation), "ResolvedRefs": (*RESOLVED, generation)}


def test_a_pool_that_is_not_there_is_not_resolved(world: World) -> None:
    world.set_weights({STABLE: 90, "nobody": 10})
    world.wait_observed()

    assert world.conditions() == {"Accepted": (*ACCEPTED, 2), "ResolvedRefs": ("False", "BackendNotFound", 2)}


def test_a_pool_that_is_deleted_and_comes_back_is_resolved_again(world: World) -> None:
    world.delete_pool(STABLE)
    wait_until("not resolved", lambda: world.conditions()["ResolvedRefs"] == ("False", "BackendNotFound", 1))

    world.kube.create(_pool(STABLE, world.namespace))

    wait_until("resolved", lambda: world.conditions()["ResolvedRefs"] == (*RESOLVED, 1))


def test_the_gateway_can_be_told_to_refuse(world: World, robot: Robot) -> None:
    robot.answer = Answer(refuses="too many backends")
    world.set_weights({STABLE: 90, CANARY: 10})
    world.wait_observed()

    assert world.conditions()["Accepted"] == ("False", "UnsupportedValue", 2)
    assert world.http_route()["status"]["parents"][0]["conditions"][0]["message"] == "too many backends"


def test_the_gateway_can_be_told_to_stay_silent_and_to_speak_again(world: World, robot: Robot) -> None:
    robot.answer = Answer(silent=True)
    world.set_weights({STABLE: 90, CANARY: 10})
    # Another answer of the robot proves that it has seen the change above.
    world.kube.merge(path_of(GATEWAY_API, "Gateway", world.namespace, GATEWAY), {"spec": _two_listeners()})
    wait_until("two listeners", lambda: len(_gateway(world)["status"]["listeners"]) == 2)
    assert world.conditions()["Accepted"] == (*ACCEPTED, 1)

    robot.answer = Answer()
    world.wait_observed()
    assert world.conditions()["Accepted"] == (*ACCEPTED, 2)


def test_only_pools_that_a_route_names_have_parents(world: World) -> None:
    wait_until("stable has a parent", lambda: _parents(world, STABLE) == [GATEWAY])
    assert _parents(world, CANARY) == []

    world.set_weights({CANARY: 100})

    wait_until("parents moved", lambda: (_parents(world, STABLE), _parents(world, CANARY)) == ([], [GATEWAY]))


def test_the_gateway_is_programmed_with_an_address(world: World) -> None:
    wait_until("an address", lambda: bool(_gateway(world)["status"].get("addresses")))

    assert _gateway(world)["status"]["addresses"] == [{"type": "IPAddress", "value": "127.0.0.1"}]


def test_a_new_pod_becomes_ready_and_a_deleted_one_goes(world: World) -> None:
    container = {"name": "vllm", "image": "vllm"}
    meta = {"name": "extra", "namespace": world.namespace}
    path = path_of("v1", "Pod", world.namespace, "extra")
    world.kube.create(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": meta,
            "spec": {"nodeName": "sandbox", "containers": [container]},
        }
    )
    wait_until("ready", lambda: is_ready(world.kube.get(path)))

    world.kube.delete(path)

    wait_until("gone", lambda: not world.kube.exists(path))


def test_a_test_can_take_away_model_servers_and_pickers(world: World) -> None:
    world.set_servers_ready(CANARY, 1)
    world.set_picker_ready(CANARY, False)

    assert (world.ready_servers(CANARY), _picker_endpoints(world, CANARY)) == (1, [False])

    world.set_picker_ready(CANARY, True)
    world.delete_picker(STABLE)

    assert _picker_endpoints(world, CANARY) == [True]
    assert not world.kube.exists(_slice(world, STABLE))


def test_a_second_route_is_answered_too(world: World) -> None:
    world.add_route("other", [pool_ref(STABLE, 3), pool_ref(CANARY, 1)], path="/v2")
    world.wait_observed("other")

    assert world.weights("other") == [(STABLE, 3), (CANARY, 1)]


def _pool(name: str, namespace: str) -> dict[str, object]:
    from sandbox import objects

    return objects.pool(name, namespace)


def _two_listeners() -> dict[str, object]:
    return {"listeners": [{"name": name, "port": port, "protocol": "HTTP"} for name, port in (("a", 80), ("b", 81))]}


def _gateway(world: World) -> dict[str, dict[str, list[object]]]:
    return world.kube.get(path_of(GATEWAY_API, "Gateway", world.namespace, GATEWAY))


def _parents(world: World, pool: str) -> list[str]:
    found = world.kube.get(path_of(POOL_API, "InferencePool", world.namespace, pool))
    return [parent["parentRef"]["name"] for parent in found.get("status", {}).get("parents", [])]


def _slice(world: World, pool: str) -> str:
    return path_of("discovery.k8s.io/v1", "EndpointSlice", world.namespace, f"{pool}-epp-1")


def _picker_endpoints(world: World, pool: str) -> list[bool]:
    return [endpoint["conditions"]["ready"] for endpoint in world.kube.get(_slice(world, pool))["endpoints"]]
