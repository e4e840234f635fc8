"""Which program an image stands for: tables."""

from pathlib import Path

import pytest

from sandbox.dataplane.images import framework_of, kind_of, model_server, picker


@pytest.mark.parametrize(
    ("image", "kind"),
    [
        ("registry.k8s.io/gateway-api-inference-extension/epp:v1.5.0", "picker"),
        ("ghcr.io/llm-d/llm-d-router-endpoint-picker@sha256:00", "picker"),
        ("vllm/vllm-openai:v0.11.0", "vllm"),
        ("lmsysorg/sglang:v0.5.4", "sglang"),
        ("example.com/vllm/nothing-like-it:v1", ""),
        ("nginx", ""),
    ],
)
def test_an_image_stands_for_a_program(image: str, kind: str) -> None:
    assert kind_of(image) == kind


@pytest.mark.parametrize(
    ("image", "framework"),
    [
        ("vllm/vllm-openai:v0.11.0", "vllm"),
        ("vllm/vllm-openai:v0.10.2", "vllm-old"),
        ("vllm/vllm-openai:v1.0.0", "vllm"),
        ("vllm/vllm-openai:nightly", "vllm"),
        ("vllm/vllm-openai", "vllm"),
        ("lmsysorg/sglang:v0.5.4", "sglang"),
    ],
)
def test_the_version_decides_the_names_of_the_metrics(image: str, framework: str) -> None:
    assert framework_of(image) == framework


def test_a_picker_listens_at_ports_of_its_own() -> None:
    program = picker(Path("/cache/epp"), ["--pool-name", "llama"], [1001, 1002, 1003])

    assert program.command[:3] == ["/cache/epp", "--pool-name", "llama"]
    assert {"--grpc-port=1001", "--grpc-health-port=1002", "--metrics-port=1003"} <= set(program.command)
    assert [program.port(number) for number in (9002, 9003, 9090, 8000)] == [1001, 1002, 1003, 8000]


def test_a_model_server_listens_at_its_pods_address() -> None:
    program = model_server("lmsysorg/sglang:v0.5.4", ["--model-path", "llama"], "127.70.1.1", 8001)

    assert program.command[1:] == [
        *("-m", "sandbox.model_server", "--framework", "sglang", "--host", "127.70.1.1", "--port", "8001"),
        *("--model-path", "llama"),
    ]
    assert program.http_probe == (8001, "/health")
