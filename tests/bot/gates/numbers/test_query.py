from bot.domain.rollout import Pool
from bot.engine.route_port import PoolMembers
from bot.gates.numbers.query import any_of, promql
from tests.builders import CANARY, STABLE


def members(name: str, *pods: str, picker: str = "") -> PoolMembers:
    return PoolMembers(pool=Pool("default", name), pods=pods, picker=picker)


def test_it_names_every_pod_and_picker_and_no_prefix() -> None:
    query = promql(members(STABLE, "old-a", "old-b", picker="old-epp"), members(CANARY, "old-new-a", picker="new-epp"))
    assert 'pod=~"old-a|old-b|old-new-a"' in query
    assert 'job=~"old-epp|new-epp"' in query
    assert 'service=~"old-epp|new-epp"' in query
    assert ".*" not in query


def test_a_dot_in_a_name_is_a_dot() -> None:
    assert any_of(["a.b", "c"]) == "a[.]b|c"


def test_pools_without_pods_or_pickers_are_left_out() -> None:
    assert promql(members(STABLE), members(CANARY)) == ""


def test_of_several_clusters_one_is_asked_for() -> None:
    query = promql(members(CANARY, "a", picker="epp"), labels={"cluster": "eu", "env": "prod"})
    assert query.count('namespace="default",cluster="eu",env="prod",') == query.count("namespace=")


def test_without_a_picker_none_is_asked_for() -> None:
    assert "epp" not in promql(members(STABLE, "a"), members(CANARY, "b")).replace("llm_d_epp", "")
