"""What `check` says of both pools: what belongs to the old one alone."""

from typing import Any

import pytest

from bot.domain.check import Grade
from k8s.checks.pools import lines
from k8s.pool_health import PoolParts
from k8s.served_models import ServedModels
from tests.k8s.build import NEW, OLD, Json, a_ref, a_route, a_rule
from tests.k8s.scenes import a_scene

HERE: Json = {"metadata": {"namespace": "default", "name": OLD}, "spec": {"selector": {"matchLabels": {"app": OLD}}}}


def said(*companions: Json) -> list[tuple[str, str]]:
    """Return the warnings about what belongs to the pools, each with its hint."""
    nobody = PoolParts(pool=HERE, pods=())
    scene = a_scene(a_route(a_rule(a_ref(OLD))), old=nobody, new=nobody, companions=companions)
    return [(line.said, line.hint) for line in lines(scene) if line.grade is Grade.WARN and "only" in line.said]


def an_objective(name: str, pool: str, priority: int = 1) -> Json:
    spec = {"poolRef": {"name": pool}, "priority": priority}
    return {"kind": "InferenceObjective", "metadata": {"namespace": "default", "name": name}, "spec": spec}


def a_rewrite(name: str, pool: str, **spec: Any) -> Json:
    document = {"kind": "InferenceModelRewrite", "metadata": {"namespace": "default", "name": name}}
    return {**document, "spec": {"poolRef": {"name": pool}, **spec}}


COPY_IT = f"Copy it with `poolRef.name: {NEW}`."
COPY_THEM = f"Copy them with `poolRef.name: {NEW}`."
MANY = [an_objective(f"o{number}", OLD, number) for number in range(7)]


@pytest.mark.parametrize(
    ("companions", "warned"),
    [
        ([], []),
        ([an_objective("a", OLD), an_objective("b", NEW)], []),
        ([an_objective("a", "docs")], []),
        (
            [an_objective("a", OLD), an_objective("b", NEW, priority=2)],
            [(f"InferenceObjective `a` counts for `{OLD}` only: `{NEW}` has none like it.", COPY_IT)],
        ),
        (
            [an_objective("a", OLD), a_rewrite("r", OLD, rules=[])],
            [
                (f"InferenceObjective `a` counts for `{OLD}` only: `{NEW}` has none like it.", COPY_IT),
                (f"InferenceModelRewrite `r` counts for `{OLD}` only: `{NEW}` has none like it.", COPY_IT),
            ],
        ),
        (
            [*MANY, an_objective("twin", NEW, 0)],
            [
                (
                    f"6 InferenceObjectives count for `{OLD}` only (`o1`, `o2`, `o3`, `o4`, `o5` and 1 more): `{NEW}` "
                    "has none like them.",
                    COPY_THEM,
                )
            ],
        ),
    ],
)
def test_what_counts_for_the_old_pool_alone_is_named_once_for_each_kind(
    companions: list[Json], warned: list[tuple[str, str]]
) -> None:
    assert said(*companions) == warned


LLAMA = ServedModels(frozenset({"llama", "food", "poems"}), adapters=frozenset({"food", "poems"}))
OUT = "Load it there too, map its name with an InferenceModelRewrite, or take it off the old pool first."


@pytest.mark.parametrize(
    ("serves", "companions", "found"),
    [
        ({"llama", "food", "poems"}, [], []),
        (
            {"llama", "poems"},
            [],
            [
                (
                    Grade.STOP,
                    f"`{NEW}` lacks the LoRA adapter `food` of `{OLD}`: requests for it would fail there. {OUT}",
                )
            ],
        ),
        (
            {"llama"},
            [],
            [
                (
                    Grade.STOP,
                    f"`{NEW}` lacks the LoRA adapters `food`, `poems` of `{OLD}`: requests for them would fail there. "
                    f"{OUT}",
                )
            ],
        ),
        ({"llama", "poems"}, [a_rewrite("r", NEW, rules=[{"matches": [{"model": {"value": "food"}}]}])], []),
        (
            {"qwen", "food", "poems"},
            [],
            [
                (
                    Grade.WARN,
                    f"`{NEW}` does not serve `llama`, which `{OLD}` serves: such requests would fail there. Serve the "
                    "same models, or map their names with an InferenceModelRewrite.",
                )
            ],
        ),
    ],
)
def test_a_base_model_may_change_and_an_adapter_may_not_be_lost(
    serves: set[str], companions: list[Json], found: list[tuple[Grade, str]]
) -> None:
    nobody = PoolParts(pool=HERE, pods=())
    scene = a_scene(
        a_route(a_rule(a_ref(OLD))),
        old=nobody,
        new=nobody,
        companions=companions,
        old_models=LLAMA,
        new_models=ServedModels(frozenset(serves)),
    )
    about = [line for line in lines(scene) if "adapter" in line.said or "does not serve" in line.said]
    assert [(line.grade, line.text) for line in about] == found
