"""The Deployment of a new pool's model servers: a copy of the old one's with a few changes."""

from typing import Any

import pytest

from bot.domain.errors import UsageError
from k8s.model_servers import copied, of_pool, takes
from tests.k8s.build import NEW, OLD, Json

NAMES = (OLD, NEW)


def a_pool(name: str, **labels: str) -> Json:
    return {"metadata": {"name": name}, "spec": {"selector": {"matchLabels": labels}}}


def a_deployment(selector: Json, *, labels: Json | None = None, **container: Any) -> Json:
    return {
        "metadata": {
            "name": OLD,
            "namespace": "default",
            "uid": "u1",
            "labels": {"app": OLD, "team": "search", "app.kubernetes.io/managed-by": "Helm"},
            "annotations": {
                "deployment.kubernetes.io/revision": "3",
                "kubectl.kubernetes.io/last-applied-configuration": "{}",
                "meta.helm.sh/release-name": OLD,
                "owner": "search",
            },
        },
        "spec": {
            "replicas": 4,
            "selector": {"matchLabels": selector},
            "template": {
                "metadata": {"labels": labels or selector},
                "spec": {
                    "nodeSelector": {"gpu": "h100"},
                    "containers": [
                        {
                            "name": "vllm",
                            "image": "vllm/vllm-openai:v0.11.0",
                            "args": ["--model", "llama", "--max-model-len=4096"],
                            "resources": {"requests": {"nvidia.com/gpu": "1"}, "limits": {"nvidia.com/gpu": "1"}},
                            **container,
                        }
                    ],
                },
            },
        },
        "status": {"readyReplicas": 4},
    }


GUIDE = a_deployment({"app": OLD}, labels={"app": OLD, "role": "server"})
POOL = a_pool(NEW, app=NEW)


def copy(changes: Json | None = None) -> Json:
    return copied(GUIDE, POOL, NEW, NAMES, changes or {})


def first(document: Json) -> Json:
    container: Json = document["spec"]["template"]["spec"]["containers"][0]
    return container


def test_a_copy_has_the_new_name_and_labels_and_nothing_that_belongs_to_the_old_one_alone() -> None:
    after = copy()
    assert {key: after[key] for key in ("apiVersion", "kind", "metadata")} == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": NEW,
            "namespace": "default",
            "labels": {"app": NEW, "team": "search"},
            "annotations": {"owner": "search"},
        },
    }
    assert after["spec"]["selector"] == {"matchLabels": {"app": NEW}}
    assert after["spec"]["template"]["metadata"]["labels"] == {"app": NEW, "role": "server"}
    assert first(after) == first(GUIDE)
    assert not takes(GUIDE, after)


@pytest.mark.parametrize(
    ("key", "value", "path", "after"),
    [
        ("image", "vllm/vllm-openai:v0.12.0", ("image",), "vllm/vllm-openai:v0.12.0"),
        ("args.--max-model-len", "8192", ("args",), ["--model", "llama", "--max-model-len=8192"]),
        ("args.--model", "qwen", ("args",), ["--model", "qwen", "--max-model-len=4096"]),
        ("args.--seed", "7", ("args",), ["--model", "llama", "--max-model-len=4096", "--seed=7"]),
        (
            "limits.nvidia\\.com/gpu",
            "2",
            ("resources",),
            {"requests": {"nvidia.com/gpu": "2"}, "limits": {"nvidia.com/gpu": "2"}},
        ),
        (
            "limits.memory",
            "80Gi",
            ("resources", "limits"),
            {"nvidia.com/gpu": "1", "memory": "80Gi"},
        ),
    ],
)
def test_a_change_touches_its_own_place(key: str, value: str, path: tuple[str, ...], after: Any) -> None:
    found: Any = first(copy({key: value}))
    for part in path:
        found = found[part]
    assert found == after


def test_replicas_and_nodes_are_of_the_whole_deployment() -> None:
    after = copy({"replicas": "1", "nodeSelector.gpu": "h200", "nodeSelector.example\\.com/zone": "a"})
    assert after["spec"]["replicas"] == 1
    assert after["spec"]["template"]["spec"]["nodeSelector"] == {"gpu": "h200", "example.com/zone": "a"}
    assert GUIDE["spec"]["template"]["spec"]["nodeSelector"] == {"gpu": "h100"}


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("command", "sh", "`servers.command` is nothing that I can change."),
        ("image.tag", "v1", "`servers.image.tag` is nothing that I can change."),
        ("nodeSelector", "h200", "`servers.nodeSelector` is nothing that I can change."),
        ("args.", "x", "`servers.args.` is nothing that I can change."),
        ("replicas", "many", "`servers.replicas` is a whole number, not `many`."),
        ("replicas", "-1", "`servers.replicas` is a whole number, not `-1`."),
        ("replicas", "99999", "`servers.replicas` is a whole number, not `99999`."),
    ],
)
def test_what_cannot_be_changed_is_said(key: str, value: str, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        copy({key: value})
    assert refused.value.message == said


def test_a_deployment_that_selects_its_pods_by_nothing_that_differs_would_take_the_new_ones() -> None:
    model = a_deployment({"name": "servers"}, labels={"name": "servers", "app": OLD})
    assert takes(model, copied(model, POOL, NEW, NAMES, {}))


def test_only_deployments_whose_pods_are_the_pools_alone_are_its_model_servers() -> None:
    old, beside = a_pool(OLD, app=OLD), a_pool("beside", role="server")
    other = a_deployment({"app": "other"})
    assert [each["metadata"]["name"] for each in of_pool(old, [old], [GUIDE, other])] == [OLD]
    assert [*of_pool(old, [old, beside], [GUIDE, other])] == []
