"""Whether a pool can serve, from its documents."""

from typing import Any

import pytest

from k8s.pool_health import Health, PoolParts, health_of

Json = dict[str, Any]
POOL = "InferencePool `default/chat`"
PICKER = "Service `default/chat-epp`, the endpoint picker of InferencePool `chat`,"


def a_pool(*ports: int, picker: Json | None = None) -> Json:
    named = {"name": "chat-epp", "port": {"number": 9002}}
    spec = {
        "selector": {"matchLabels": {"app": "chat"}},
        "targetPorts": [{"number": port} for port in ports or (8000,)],
        "endpointPickerRef": named if picker is None else picker,
    }
    return {"metadata": {"namespace": "default", "name": "chat"}, "spec": spec}


def a_pod(*, ready: bool = True, ports: tuple[int, ...] = (), sidecar: int = 0, labels: Json | None = None) -> Json:
    containers = [{"name": "server", "ports": [{"containerPort": port} for port in ports]}]
    beside = {"name": "proxy", "restartPolicy": "Always", "ports": [{"containerPort": sidecar}]}
    before = {"name": "once", "ports": [{"containerPort": 8000}]}
    return {
        "metadata": {"name": "chat-0", "labels": labels or {}},
        "spec": {"containers": containers, "initContainers": [before, beside] if sidecar else [before]},
        "status": {"conditions": [{"type": "Ready", "status": str(ready)}]},
    }


def a_service(**ports: int) -> Json:
    named = [{"name": name, "port": port} for name, port in (ports or {"grpc": 9002, "metrics": 9090}).items()]
    return {"metadata": {"namespace": "default", "name": "chat-epp"}, "spec": {"ports": named}}


def a_slice(*endpoints: Json | None, ports: tuple[str, ...] = ("grpc",)) -> Json:
    found = [{"conditions": each} for each in endpoints]
    return {"metadata": {"name": "chat-epp-x"}, "ports": [{"name": name} for name in ports], "endpoints": found}


READY = a_slice({"ready": True})


def parts(*pods: Json, pool: Json | None = None, slices: Any = (READY,), service: Any = None, **more: Any) -> PoolParts:
    return PoolParts(
        pool=pool or a_pool(), pods=pods or (a_pod(),), slices=slices, service=service or a_service(), **more
    )


def test_a_pool_with_a_ready_server_and_a_ready_picker_can_serve() -> None:
    assert health_of(parts(a_pod(), a_pod(ready=False))) == Health(1, 2, "")


def role(value: str, *, ready: bool = True, key: str = "llm-d.ai/role") -> Json:
    return a_pod(ready=ready, labels={key: value})


@pytest.mark.parametrize(
    ("pods", "lack"),
    [
        ([role("prefill"), role("prefill"), role("decode", ready=False), role("decode", ready=False)], "decode 0 of 2"),
        ([role("prefill"), role("decode", ready=False)], "decode 0 of 1"),
        ([role("prefill", ready=False), role("decode")], "prefill 0 of 1"),
        ([role("prefill")], "decode 0 of 0"),
        ([role("encode", ready=False), role("both")], "encode 0 of 1"),
        ([role("prefill", key="role"), role("decode", ready=False, key="old.example/role")], "decode 0 of 1"),
        ([role("prefill"), role("decode")], ""),
        ([role("prefill", ready=False), role("both")], ""),
        ([role("prefill-decode")], ""),
        ([role("prefill"), a_pod()], ""),
        ([role("leader")], ""),
        ([role("frontend"), a_pod(ready=False)], ""),
    ],
)
def test_each_role_of_a_pool_needs_somebody_ready(pods: list[Json], lack: str) -> None:
    said = f"{POOL} cannot answer: {lack} pods Ready (label `llm-d.ai/role`)." if lack else ""
    assert health_of(parts(*pods)).lack == said


@pytest.mark.parametrize(
    ("pods", "ports", "found"),
    [
        ([a_pod(ports=(8200,))], (8000,), "8200"),
        ([a_pod(ports=(8200, 9000)), a_pod(ports=(7000,))], (8000, 8001), "7000, 8200, 9000"),
        ([a_pod(ports=(8200,)), a_pod(ports=(8000,))], (8000,), ""),
        ([a_pod(ports=(8200,), sidecar=8000)], (8000,), ""),
        ([a_pod(ports=(8200,)), a_pod()], (8000,), ""),
        ([a_pod(ports=(8001,))], (8000, 8001), ""),
    ],
)
def test_pods_that_declare_ports_declare_one_of_the_pools(pods: list[Json], ports: tuple[int, ...], found: str) -> None:
    wanted = ", ".join(map(str, ports))
    said = f"No pod of {POOL} listens on port {wanted}, which it names: they declare {found}." if found else ""
    assert health_of(parts(*pods, pool=a_pool(*ports))).lack == said


@pytest.mark.parametrize(
    ("of", "lack"),
    [
        ({"slices": ()}, f"{PICKER} has no ready endpoint."),
        ({"slices": (a_slice({"ready": False}),)}, f"{PICKER} has no ready endpoint."),
        ({"slices": (a_slice({"ready": True, "terminating": True}),)}, f"{PICKER} has no ready endpoint."),
        ({"slices": (a_slice({"ready": True}, ports=("metrics",)),)}, f"{PICKER} has no ready endpoint."),
        ({"slices": (a_slice(None),)}, ""),
        ({"slices": (a_slice({"ready": True}, ports=()),)}, ""),
        ({"slices": (a_slice({"ready": False}), READY)}, ""),
        ({"service": a_service(http=8000)}, f"{PICKER} has no port 9002, which the pool names: it has 8000."),
        (
            {"pool": a_pool(picker={"name": "chat-epp", "port": {"number": 8000}})},
            f"{PICKER} has no port 8000, which the pool names: it has 9002, 9090.",
        ),
        ({"pool": a_pool(picker={})}, ""),
        (
            {"pool": a_pool(picker={"kind": "ServiceImport", "name": "chat-epp"})},
            "ServiceImport `default/chat-epp`, the endpoint picker of InferencePool `chat`, cannot be checked: only a "
            "Service can.",
        ),
    ],
)
def test_the_picker_has_the_port_that_the_pool_names_and_somebody_behind_it(of: dict[str, Any], lack: str) -> None:
    assert health_of(parts(**of)).lack == lack


def test_where_services_may_not_be_read_only_the_endpoints_count() -> None:
    unknown = PoolParts(pool=a_pool(), pods=(a_pod(),), slices=(READY,), services_known=False)
    assert health_of(unknown).lack == ""


def test_what_is_being_deleted_cannot_serve() -> None:
    ends = {"deletionTimestamp": "2026-11-23T12:00:00Z"}
    service = a_service()
    pool = a_pool()
    pool["metadata"] |= ends
    assert health_of(parts(pool=pool)).lack == f"{POOL} is being deleted."
    assert health_of(parts(service={**service, "metadata": ends})).lack == f"{PICKER} is being deleted."
