"""The EndpointSlices of a Service: tables."""

from sandbox.dataplane.slices import addresses, slices_of
from sandbox.kube import Object
from sandbox.pods import pod_ip, running_status

SERVICE: Object = {
    "metadata": {"name": "llama-epp", "namespace": "ns", "uid": "s1"},
    "spec": {"selector": {"inferencepool": "llama-epp"}, "ports": [{"name": "grpc", "port": 9002}]},
}


def a_pod(name: str, *, ready: bool = True, **meta: str) -> Object:
    pod: Object = {
        "metadata": {"name": name, "namespace": "ns", "labels": {"inferencepool": "llama-epp"}, **meta},
        "spec": {"containers": [{"name": "epp", "image": "epp"}]},
    }
    return {**pod, "status": running_status(pod, ready=ready)}


def test_a_slice_names_the_port_at_which_the_process_listens() -> None:
    pod = a_pod("a")

    (one,) = slices_of(SERVICE, [pod], lambda _: {9002: 1001})

    assert one["metadata"]["name"] == "llama-epp-1"
    assert one["ports"] == [{"name": "grpc", "port": 1001, "protocol": "TCP"}]
    assert addresses(one) == [pod_ip(pod)]


def test_pods_that_listen_at_other_ports_have_a_slice_of_their_own() -> None:
    pods = [a_pod("a"), a_pod("b")]

    found = slices_of(SERVICE, pods, lambda pod: {9002: 1001 if pod["metadata"]["name"] == "a" else 2001})

    assert [(one["metadata"]["name"], one["ports"][0]["port"]) for one in found] == [
        ("llama-epp-1", 1001),
        ("llama-epp-2", 2001),
    ]


def test_who_is_not_ready_is_listed_and_gets_nothing() -> None:
    (one,) = slices_of(SERVICE, [a_pod("a", ready=False)], lambda _: {})

    assert len(one["endpoints"]) == 1
    assert addresses(one) == []


def test_pods_that_go_and_pods_of_others_are_left_out() -> None:
    going = a_pod("a", deletionTimestamp="2026-11-28T00:00:00Z")
    elsewhere = a_pod("b", namespace="other")

    assert slices_of(SERVICE, [going, elsewhere], lambda _: {}) == []
