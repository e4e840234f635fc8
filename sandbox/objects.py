"""The objects of the InferencePool rollout guide, as its charts and examples make them: pure functions."""

from collections.abc import Mapping, Sequence

from sandbox.gateway import CONTROLLER, GATEWAY_GROUP, POOL_GROUP
from sandbox.kube import Object
from sandbox.pods import NODE

GATEWAY_API = f"{GATEWAY_GROUP}/v1"
POOL_API = f"{POOL_GROUP}/v1"
GATEWAY_CLASS = "sandbox"
PICKER_PORTS = {"grpc-ext-proc": 9002, "http-metrics": 9090}
PORT = 8000
"""Where the guide's model servers listen."""
PICKER_VERSION = "v1.3.1"


def picker_name(pool: str) -> str:
    """Return the name that the chart gives to the endpoint picker of a pool."""
    return pool[:40] + "-epp"


def namespace(name: str) -> Object:
    """Return a namespace."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def gateway_class() -> Object:
    """Return the class of gateways that the robot plays."""
    return _object(GATEWAY_API, "GatewayClass", GATEWAY_CLASS, "", {"controllerName": CONTROLLER})


def gateway(name: str, namespace: str, port: int = 80) -> Object:
    """Return the guide's Gateway."""
    listener = {"name": "http", "port": port, "protocol": "HTTP"}
    return _object(
        GATEWAY_API, "Gateway", name, namespace, {"gatewayClassName": GATEWAY_CLASS, "listeners": [listener]}
    )


def route(name: str, namespace: str, gateway_name: str, rules: Sequence[Object]) -> Object:
    """Return an HTTPRoute."""
    parent = {"group": GATEWAY_GROUP, "kind": "Gateway", "name": gateway_name}
    return _object(GATEWAY_API, "HTTPRoute", name, namespace, {"parentRefs": [parent], "rules": list(rules)})


def rule(refs: Sequence[Object], path: str = "/") -> Object:
    """Return a rule for all requests below ``path``."""
    return {"backendRefs": list(refs), "matches": [{"path": {"type": "PathPrefix", "value": path}}]}


def pool_ref(pool: str, weight: int | None = None) -> Object:
    """Return a backendRef. Without a weight, as in the guide, the API server gives it weight 1."""
    ref: Object = {"group": POOL_GROUP, "kind": "InferencePool", "name": pool}
    return ref if weight is None else {**ref, "weight": weight}


def pool(name: str, namespace: str, port: int = PORT) -> Object:
    """Return an InferencePool that selects the pods with label ``app`` = its name."""
    spec = {
        "targetPorts": [{"number": port}],
        "selector": {"matchLabels": {"app": name}},
        "endpointPickerRef": {"name": picker_name(name), "port": {"number": 9002}},
    }
    return _object(POOL_API, "InferencePool", name, namespace, spec, _chart_labels(name))


def model_servers(
    name: str, namespace: str, replicas: int, port: int = PORT, *, adapters: Sequence[str] = ()
) -> Object:
    """Return the Deployment of a pool's model servers, with some LoRA adapters on the model."""
    modules = [f"{adapter}=/adapters/{adapter}" for adapter in adapters]
    container: Object = {
        "name": "vllm",
        "image": "vllm/vllm-openai:v0.11.0",
        "args": [
            *("--model", "meta-llama/Llama-3.1-8B-Instruct"),
            *(("--enable-lora", "--lora-modules", *modules) if modules else ()),
        ],
        "env": [{"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
        "ports": [{"name": "http", "containerPort": port}],
    }
    return _deployment(name, namespace, replicas, {"app": name}, container, {})


def picker(name: str, namespace: str, replicas: int) -> Object:
    """Return the Deployment of a pool's endpoint picker."""
    epp = picker_name(name)
    flags = {"--pool-name": name, "--pool-namespace": namespace, "--pool-group": POOL_GROUP}
    container: Object = {
        "name": "epp",
        "image": f"gateway-api-inference-extension/epp:{PICKER_VERSION}",
        "args": [part for pair in flags.items() for part in pair],
        "ports": [{"name": "grpc", "containerPort": 9002}, {"name": "metrics", "containerPort": 9090}],
    }
    return _deployment(epp, namespace, replicas, {"inferencepool": epp}, container, _chart_labels(name))


def picker_service(name: str, namespace: str) -> Object:
    """Return the Service of a pool's endpoint picker."""
    epp = picker_name(name)
    ports = [{"name": port, "port": number, "protocol": "TCP"} for port, number in PICKER_PORTS.items()]
    spec = {"type": "ClusterIP", "selector": {"inferencepool": epp}, "ports": ports}
    return _object("v1", "Service", epp, namespace, spec, _chart_labels(name))


def pods_of(deployment: Object) -> list[Object]:
    """Return the pods that the Deployment's controllers would make."""
    meta, spec = deployment["metadata"], deployment["spec"]
    template = spec["template"]
    return [
        _object(
            "v1",
            "Pod",
            f"{meta['name']}-{number}",
            meta["namespace"],
            {**template["spec"], "nodeName": NODE},
            template["metadata"]["labels"],
        )
        for number in range(spec["replicas"])
    ]


def _deployment(
    name: str, namespace: str, replicas: int, selector: Mapping[str, str], container: Object, labels: Mapping[str, str]
) -> Object:
    spec = {
        "replicas": replicas,
        "selector": {"matchLabels": dict(selector)},
        "template": {"metadata": {"labels": dict(selector)}, "spec": {"containers": [container]}},
    }
    return _object("apps/v1", "Deployment", name, namespace, spec, labels)


def _chart_labels(pool_name: str) -> dict[str, str]:
    return {"app.kubernetes.io/name": picker_name(pool_name), "app.kubernetes.io/version": PICKER_VERSION}


def _object(
    api_version: str, kind: str, name: str, namespace: str, spec: Object, labels: Mapping[str, str] | None = None
) -> Object:
    metadata: Object = {"name": name}
    if namespace:
        metadata["namespace"] = namespace
    if labels:
        metadata["labels"] = dict(labels)
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec}
