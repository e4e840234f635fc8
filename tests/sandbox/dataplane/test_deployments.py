"""Which pods a Deployment needs: tables."""

from sandbox.dataplane.deployments import HASH, orphans, plan, status
from sandbox.kube import Object
from sandbox.pods import running_status


def a_deployment(*, replicas: int = 2, image: str = "vllm:1", uid: str = "d1") -> Object:
    template = {"metadata": {"labels": {"app": "llama"}}, "spec": {"containers": [{"name": "vllm", "image": image}]}}
    return {
        "metadata": {"name": "llama", "namespace": "ns", "uid": uid, "generation": 3},
        "spec": {"replicas": replicas, "template": template},
    }


def made(deployment: Object, *, ready: bool = True) -> list[Object]:
    """Return the pods that a Deployment makes when it has none."""
    pods = list(plan(deployment, []).create)
    return [{**pod, "status": running_status(pod, ready=ready)} for pod in pods]


def names(pods: list[Object]) -> list[str]:
    return [pod["metadata"]["name"] for pod in pods]


def test_a_new_deployment_gets_its_pods() -> None:
    deployment = a_deployment()

    first, second = made(deployment)

    assert first["metadata"]["name"] != second["metadata"]["name"]
    assert first["metadata"]["labels"] == {"app": "llama", HASH: first["metadata"]["labels"][HASH]}
    assert first["metadata"]["ownerReferences"][0]["uid"] == "d1"
    assert first["spec"]["containers"] == [{"name": "vllm", "image": "vllm:1"}]


def test_one_that_has_its_pods_needs_nothing() -> None:
    deployment = a_deployment()

    wanted = plan(deployment, made(deployment))

    assert (wanted.create, wanted.delete) == ([], [])


def test_fewer_replicas_delete_the_pods_that_are_not_ready_first() -> None:
    deployment = a_deployment()
    good, bad = made(deployment)
    bad["status"] = running_status(bad, ready=False)

    wanted = plan(a_deployment(replicas=1), [good, bad])

    assert names(list(wanted.delete)) == names([bad])


def test_a_new_template_keeps_the_old_pods_until_the_new_ones_are_ready() -> None:
    old = made(a_deployment())
    newer = a_deployment(image="vllm:2")

    begun = plan(newer, old)
    starting = [{**pod, "status": running_status(pod, ready=False)} for pod in begun.create]
    ready = [{**pod, "status": running_status(pod, ready=True)} for pod in begun.create]

    assert (len(begun.create), begun.delete) == (2, [])
    assert plan(newer, [*old, *starting]).delete == []
    assert names(list(plan(newer, [*old, *ready]).delete)) == names(old)


def test_a_pod_that_is_being_deleted_is_replaced() -> None:
    deployment = a_deployment()
    first, second = made(deployment)
    second["metadata"]["deletionTimestamp"] = "2026-11-28T00:00:00Z"

    assert len(plan(deployment, [first, second]).create) == 1


def test_the_pods_of_a_deployment_that_is_gone_are_orphans() -> None:
    deployment = a_deployment()
    pods = made(deployment)
    alone = {"metadata": {"name": "alone", "namespace": "ns", "labels": {}}}

    assert orphans([*pods, alone], [deployment]) == []
    assert names(orphans([*pods, alone], [a_deployment(uid="d2")])) == names(pods)


def test_the_status_counts_the_ready_pods() -> None:
    deployment = a_deployment(replicas=3)
    pods = made(deployment)
    pods[0]["status"] = running_status(pods[0], ready=False)

    found = status(deployment, pods)

    assert {key: value for key, value in found.items() if key != "conditions"} == {
        "observedGeneration": 3,
        "replicas": 3,
        "updatedReplicas": 3,
        "readyReplicas": 2,
        "availableReplicas": 2,
        "unavailableReplicas": 1,
    }
    assert [(one["type"], one["status"]) for one in found["conditions"]] == [("Available", "False")]
