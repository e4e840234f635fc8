from bot.domain.rollout import Pool
from bot.engine.route_port import PoolMembers
from bot.gates.numbers.query import LONGEST, RUNNING, any_of, promql
from tests.builders import CANARY, STABLE


def members(name: str, *pods: str, picker: str = "") -> PoolMembers:
    return PoolMembers(pool=Pool("default", name), pods=pods, picker=picker)


def test_it_names_every_pod_and_picker_and_no_prefix() -> None:
    pools = members(STABLE, "old-a", "old-b", picker="old-epp"), members(CANARY, "old-new-a", picker="new-epp")
    (query,) = promql(*pools)
    assert 'pod=~"old-a|old-b|old-new-a"' in query
    assert 'job=~"old-epp|new-epp"' in query
    assert 'service=~"old-epp|new-epp"' in query
    assert ".*" not in query


def test_a_dot_in_a_name_is_a_dot() -> None:
    assert any_of(["a.b", "c"]) == "a[.]b|c"


def test_pools_without_pods_or_pickers_are_left_out() -> None:
    assert promql(members(STABLE), members(CANARY)) == []


def test_of_several_clusters_one_is_asked_for() -> None:
    (query,) = promql(members(CANARY, "a", picker="epp"), labels={"cluster": "eu", "env": "prod"})
    assert query.count('namespace="default",cluster="eu",env="prod",') == query.count("namespace=")


def test_without_a_picker_none_is_asked_for() -> None:
    (query,) = promql(members(STABLE, "a"), members(CANARY, "b"))
    assert "epp" not in query.replace("llm_d_epp", "")


def test_of_very_many_pods_it_takes_several_queries_that_are_not_too_long() -> None:
    pods = [f"vllm-llama3-8b-instruct-7d9f8b6c5d-{number:05d}" for number in range(130)]
    queries = promql(members(STABLE, *pods, picker="epp"), members(CANARY, "new"))
    assert (len(queries), all(len(query) <= LONGEST for query in queries)) == (3, True)
    for pod in [*pods, "new"]:
        assert sum(query.count(pod) for query in queries) == 1 + len(RUNNING)
