"""How what a chart makes differs from the old release, and what it must not make."""

import json
from typing import Any

import pytest

from k8s.deployment_check import MOST_DIFFERENCES, bounded, differences, elsewhere, stops
from sandbox.objects import pool

OLD, NEW = "llama", "llama-h200"


def an_object(kind: str, name: str, **spec: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "labels": {"of": name}}, "spec": spec}


def found(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> list[str]:
    return list(differences(old, new, OLD, NEW))


def test_the_name_is_no_difference_wherever_it_stands() -> None:
    old = [an_object("Deployment", f"{OLD}-epp", args=["--pool-name", OLD], image="epp:1")]
    new = [an_object("Deployment", f"{NEW}-epp", args=["--pool-name", NEW], image="epp:1")]
    assert found(old, new) == []


def test_a_part_of_a_longer_word_is_not_the_name() -> None:
    old = [an_object("Deployment", f"{OLD}-epp", image=f"registry/my{OLD}:1", args=["kind", "name"])]
    new = [an_object("Deployment", f"{NEW}-epp", image=f"registry/my{OLD}:1", args=["kind", "name"])]
    assert found(old, new) == []
    assert list(differences(old, old, "name", "kind")) == []


def test_what_still_has_the_old_name_is_no_difference() -> None:
    image = f"registry/{OLD}-epp:1"
    old, new = an_object("Deployment", f"{OLD}-epp", image=image), an_object("Deployment", f"{NEW}-epp", image=image)
    assert found([old], [new]) == []


def test_nothing_is_made_elsewhere() -> None:
    placed = [
        (an_object("Role", "a"), "default"),
        (an_object("Role", "b"), "other"),
        (an_object("ClusterRole", "c"), ""),
    ]
    assert list(elsewhere(placed, "default")) == [
        "The chart would make Role `b` in namespace `other`.",
        "The chart would make ClusterRole `c` for the whole cluster.",
    ]


def test_each_place_that_differs_is_named_with_both_values() -> None:
    old = [an_object("Deployment", f"{OLD}-epp", image="epp:1", ports=[1, 2], flags={"A": "x"}), an_object("Role", OLD)]
    new = [an_object("Deployment", f"{NEW}-epp", image="epp:2", ports=[1, 3], replicas=2), an_object("Secret", NEW)]
    assert found(old, new) == [
        "the Role, which is not made",
        "the Secret, which is new",
        f"Deployment `{NEW}-epp`, spec.flags.A: `x` → nothing",
        f"Deployment `{NEW}-epp`, spec.image: `epp:1` → `epp:2`",
        f"Deployment `{NEW}-epp`, spec.ports[1]: `2` → `3`",
        f"Deployment `{NEW}-epp`, spec.replicas: nothing → `2`",
    ]


def test_an_argument_or_a_label_that_is_added_is_shown() -> None:
    old = [an_object("Deployment", OLD, args=["--model", "llama"])]
    new = [an_object("Deployment", NEW, args=["--model", "llama", "--tp=2"], nodeSelector={"gpu": "h200"})]
    assert found(old, new) == [
        "the Deployment, spec.args[2]: nothing → `--tp=2`",
        "the Deployment, spec.nodeSelector.gpu: nothing → `h200`",
    ]


@pytest.mark.parametrize(
    ("kind", "place"),
    [
        ("Secret", {"stringData": {"a": "SECRET"}}),
        ("Deployment", {"containers": [{"env": [{"name": "A", "value": "SECRET"}]}]}),
        ("ConfigMap", {"data": {"config": "SECRET"}}),
        ("Deployment", {"hfToken": "SECRET"}),
        ("Deployment", {"args": ["--api-key=SECRET"]}),
        ("Deployment", {"args": ["--model", "llama", "--api-key", "SECRET"]}),
        ("Deployment", {"redis": {"password": "SECRET"}}),
    ],
)
def test_what_may_be_a_secret_is_not_shown(kind: str, place: dict[str, Any]) -> None:
    other = json.loads(json.dumps(place).replace("SECRET", "HIDDEN"))
    (line,) = found([an_object(kind, OLD, **place)], [an_object(kind, NEW, **other)])
    assert line.endswith(": another value")


def test_a_long_value_is_cut_and_many_differences_are_counted() -> None:
    (line,) = found([an_object("Role", OLD, a="x" * 100)], [an_object("Role", NEW, a="y" * 100)])
    assert line == f"the Role, spec.a: `{'x' * 59}…` → `{'y' * 59}…`"
    many = bounded(iter(str(number) for number in range(MOST_DIFFERENCES + 3)))
    assert (len(many), many[-1]) == (MOST_DIFFERENCES + 1, "3 more places")
    assert bounded(iter(["one"])) == ("one",)


@pytest.mark.parametrize(
    ("made", "there", "said"),
    [
        ([pool(NEW, "default")], [], []),
        ([pool(NEW, "default")], ["Service `default/x`"], ["Service `default/x` exists already."]),
        (
            [pool(NEW, "default"), an_object("HTTPRoute", "llm")],
            [],
            ["The chart would make HTTPRoute `llm`, which may take requests at once."],
        ),
        ([an_object("Service", NEW)], [], [f"The chart makes no InferencePool `{NEW}`, or more than that."]),
        (
            [pool(NEW, "default"), pool("other", "default")],
            [],
            [f"The chart makes no InferencePool `{NEW}`, or more than that."],
        ),
    ],
)
def test_what_must_not_be_installed(made: list[dict[str, Any]], there: list[str], said: list[str]) -> None:
    assert list(stops(NEW, made, there, [pool(OLD, "default")])) == said


@pytest.mark.parametrize(
    ("labels", "apart"),
    [
        ({"app": NEW}, True),
        ({"app": OLD}, False),
        ({"app": OLD, "node": "h200"}, False),  # a pod of the new one would be the old one's too
        ({"node": "h200"}, False),  # a pod may have both
    ],
)
def test_a_pool_that_shares_pods_with_another_is_not_installed(labels: dict[str, str], apart: bool) -> None:
    new = pool(NEW, "default")
    new["spec"]["selector"] = {"matchLabels": labels}
    said = list(stops(NEW, [new], [], [pool(OLD, "default")]))
    assert said == ([] if apart else said[:1])
    assert bool(said) is not apart
