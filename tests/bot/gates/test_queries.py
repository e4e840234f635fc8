from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from threading import Barrier
from typing import Any, cast

import pytest

from bot.config.mistakes import ConfigError
from bot.config.policy_file import read_policy
from bot.domain.errors import MetricsError
from bot.domain.evidence import EvidenceRules
from bot.domain.gate import GateAnswer
from bot.domain.operation import OperationPhase
from bot.domain.rollout import Applied, Entry, Pool
from bot.engine.metrics_port import Series, Span
from bot.engine.route_port import PoolMembers
from bot.gates.gate import Asked, Found, GateSources
from bot.gates.numbers.asking import WARMED
from bot.gates.numbers.numbers import Numbers
from bot.gates.numbers.window import FEW_SCRAPES
from bot.gates.queries import QueriesKeys, QuerySection, check
from bot.gates.registry import policy_keys
from tests.bot.gates.test_quality import Kept, Old
from tests.bot.gates.test_warm_up import warmed
from tests.builders import CANARY, NOON, STABLE, a_rollout, an_entry

Value = Callable[[str, float], float | None]
"""What a query gives at a part of the span, from 0 to 1."""


@dataclass
class Answers:
    """A metrics server on which a test decides what each query gives."""

    value: Value
    series: int = 1
    asked: list[str] = field(default_factory=list)

    def over(self, promql: str, span: Span) -> Sequence[Series]:
        self.asked.append(promql)
        times = [span.start + number * span.step for number in range(int((span.end - span.start) / span.step) + 1)]
        known = {time: self.value(promql, (time - span.start) / (span.end - span.start)) for time in times}
        values = {time: value for time, value in known.items() if value is not None}
        return [Series({}, values) for _ in range(self.series if values else 0)]


class Members:
    def members(self, pool: Pool) -> PoolMembers:
        name = "new" if pool.name == CANARY else "old"
        return PoolMembers(pool=pool, pods=(f"{name}-a", f"{name}.b"), picker=f"{name}-epp")


def weighed() -> Entry:
    rollout = a_rollout()
    applied = Applied(revision=2, decision=rollout.decision, weight=10, at=NOON, weighed_at=NOON)
    return replace(an_entry(rollout), applied=applied)


def found(
    answers: Answers, *queries: QuerySection, members: Any = None, entry: Entry | None = None, pools: Any = None
) -> Found:
    numbers = Numbers(answers, members or Members(), EvidenceRules(prometheus="http://prometheus"))
    sources = GateSources(pools=pools, routes=cast(Any, None), numbers=numbers)
    question = Asked(entry or weighed(), NOON + timedelta(minutes=5), sources)
    return check(question, QueriesKeys.model_construct(queries=queries))


def a_query(**more: Any) -> QuerySection:
    return QuerySection.model_construct(
        **{"name": "gpu", "query": 'max(x{pod=~"{{canary.pods}}"})', "most": None, "least": None, "times_stable": None}
        | more
    )


@pytest.mark.parametrize(
    ("value", "bounds", "answer", "reason"),
    [
        (lambda promql, part: 4.0, {"most": 5.0}, GateAnswer.PASS, ""),
        (lambda promql, part: 6.0, {"most": 5.0}, GateAnswer.FAIL, "`gpu` is 6, more than 5."),
        (lambda promql, part: 6.0 if part > 0.9 else 1.0, {"most": 5.0}, GateAnswer.HOLD, "`gpu` is 6, more than 5."),
        (lambda promql, part: 0.5, {"least": 0.9}, GateAnswer.FAIL, "`gpu` is 0.5, less than 0.9."),
        (
            lambda promql, part: 3.0 if "new" in promql else 1.0,
            {"times_stable": 2.0},
            GateAnswer.FAIL,
            "`gpu` is 3, more than 2 times the old pool's 1.",
        ),
        (lambda promql, part: 3.0 if "new" in promql else 2.0, {"times_stable": 2.0}, GateAnswer.PASS, ""),
        (lambda promql, part: None, {"most": 5.0}, GateAnswer.HOLD, "The query `gpu` gives no number now."),
        (
            lambda promql, part: 1.0 if part < 0.9 else None,
            {"most": 5.0},
            GateAnswer.HOLD,
            "The query `gpu` gives no number now.",
        ),
        (
            lambda promql, part: 3.0 if "new" in promql else None,
            {"times_stable": 2.0},
            GateAnswer.HOLD,
            "The query `gpu` gives nothing of the old pool that can be compared.",
        ),
        (lambda promql, part: 0.0, {"times_stable": 2.0}, GateAnswer.PASS, ""),
        (
            lambda promql, part: 3.0 if "new" in promql else 0.0,
            {"times_stable": 2.0},
            GateAnswer.HOLD,
            "`gpu` is 3, and the old pool's is 0, so they cannot be compared.",
        ),
        (
            lambda promql, part: 3.0 if "new" in promql else 0.0,
            {"times_stable": 2.0, "most": 2.5},
            GateAnswer.FAIL,
            "`gpu` is 3, more than 2.5.",
        ),
    ],
)
def test_a_number_out_of_bounds_holds_and_one_that_stays_there_fails(
    value: Value, bounds: Mapping[str, float], answer: GateAnswer, reason: str
) -> None:
    seen = found(Answers(value), a_query(**bounds))
    assert (seen.answer, seen.reason) == (answer, reason)


def test_the_pools_exact_names_are_put_into_it() -> None:
    answers = Answers(lambda promql, part: 1.0)
    names = 'pod=~"{{canary.pods}}",p="{{ canary.pool }}",j="{{canary.picker}}",n="{{namespace}}"'
    query = f'a{{{names}}} / b{{p="{{{{stable.pool}}}}"}}'
    seen = found(answers, a_query(query=query, times_stable=2.0))
    assert answers.asked == [
        f'a{{pod=~"new-a|new[.]b",p="{CANARY}",j="new-epp",n="default"}} / b{{p="{STABLE}"}}',
        f'a{{pod=~"old-a|old[.]b",p="{STABLE}",j="old-epp",n="default"}} / b{{p="{STABLE}"}}',
    ]
    assert seen.evidence == "gpu 1 (old 1)"


class Without(Members):
    """One of the pools has no pods."""

    def __init__(self, pool: str) -> None:
        self.pool = pool

    def members(self, pool: Pool) -> PoolMembers:
        found = super().members(pool)
        return replace(found, pods=()) if pool.name == self.pool else found


def test_an_old_pool_without_pods_is_nothing_to_compare_with() -> None:
    answers = Answers(lambda promql, part: 3.0)
    seen = found(answers, a_query(times_stable=2.0), members=Without(STABLE))
    assert (seen.answer, seen.evidence) == (GateAnswer.PASS, "gpu not compared: the old pool has no pods")
    assert found(answers, a_query(most=2.0), members=Without(STABLE)).answer is GateAnswer.FAIL
    assert found(answers, a_query(most=2.0, times_stable=2.0), members=Without(STABLE)).answer is GateAnswer.FAIL


def test_a_new_pool_without_pods_is_not_judged_by_the_pods_of_others() -> None:
    answers = Answers(lambda promql, part: 1.0)
    seen = found(answers, a_query(most=2.0), members=Without(CANARY))
    assert (seen.answer, seen.reason) == (GateAnswer.HOLD, "The new pool has no pods for the query `gpu`.")
    assert answers.asked == []


def test_an_old_pool_that_is_gone_is_not_asked_for() -> None:
    entry = weighed()
    gone = replace(entry, rollout=replace(entry.rollout, stable_gone=True))
    answers, query = Answers(lambda promql, part: 3.0 if "new" in promql else 1.0), a_query(times_stable=2.0)
    assert found(answers, query, entry=gone, pools=Old(is_gone=True)).answer is GateAnswer.PASS
    assert found(answers, query, entry=gone, pools=Old(is_gone=False)).answer is GateAnswer.FAIL
    assert found(answers, a_query(most=5.0), entry=gone).answer is GateAnswer.PASS


def test_more_than_one_series_is_no_number() -> None:
    seen = found(Answers(lambda promql, part: 1.0, series=3), a_query(query="x", most=2.0))
    assert (seen.answer, seen.reason) == (
        GateAnswer.HOLD,
        "The query `gpu` gives 3 series, and one number is needed: sum them up.",
    )


def test_the_worst_of_several_queries_counts() -> None:
    answers = Answers(lambda promql, part: {"a": 1.0, "b": 9.0}[promql])
    seen = found(answers, a_query(name="first", query="a", most=5.0), a_query(name="second", query="b", most=5.0))
    assert (seen.answer, seen.evidence) == (GateAnswer.FAIL, "second 9")
    assert seen.details == "first 1; it has to be at most 5. second 9; it has to be at most 5."


def test_every_bound_of_a_query_is_shown() -> None:
    answers = Answers(lambda promql, part: 3.0 if "new" in promql else 2.0)
    seen = found(answers, a_query(least=1.0, most=5.5, times_stable=2.0))
    assert seen.details == "gpu 3 (old 2); it has to be at least 1 and at most 5.5 and at most 2 times the old pool's."


def test_a_query_that_gets_no_answer_does_not_hide_what_the_others_say() -> None:
    def value(promql: str, part: float) -> float:
        if promql == "slow":
            raise MetricsError("Prometheus did not answer within 5 seconds.")
        return 9.0

    slow, bad = a_query(name="slow", query="slow", most=5.0), a_query(name="bad", query="b", most=5.0)
    assert found(Answers(value), slow, bad).answer is GateAnswer.FAIL
    seen = found(Answers(value), slow, a_query(name="good", query="b", most=10.0))
    assert (seen.answer, seen.reason, [figure.name for figure in seen.figures]) == (
        GateAnswer.HOLD,
        "Query `slow`: Prometheus did not answer within 5 seconds.",
        ["good"],
    )


def test_queries_are_asked_side_by_side() -> None:
    together = Barrier(3, timeout=10)

    def value(promql: str, part: float) -> float:
        if part == 0:
            together.wait()
        return 1.0

    queries = [a_query(name=name, query=name, most=5.0) for name in ("a", "b", "c")]
    assert found(Answers(value), *queries).answer is GateAnswer.PASS


def test_they_are_asked_of_a_client_of_their_own() -> None:
    """It is not asked again for a while after it has not answered, and the other gates are not to wait for that."""
    own = Answers(lambda promql, part: 1.0)
    numbers = Numbers(Answers(lambda promql, part: 9.0), Members(), EvidenceRules(prometheus="http://p"), own=own)
    sources = GateSources(pools=cast(Any, None), routes=cast(Any, None), numbers=numbers)
    question = Asked(weighed(), NOON + timedelta(minutes=5), sources)
    keys = QueriesKeys.model_construct(queries=(a_query(query="x", most=5.0),))
    assert (check(question, keys).answer, own.asked) == (GateAnswer.PASS, ["x"])


@pytest.mark.parametrize(
    ("phase", "answer", "reason"),
    [
        (OperationPhase.RUNNING, GateAnswer.HOLD, WARMED),
        (OperationPhase.DONE, GateAnswer.HOLD, FEW_SCRAPES),
    ],
)
def test_prompts_of_a_warm_up_are_no_evidence(phase: OperationPhase, answer: GateAnswer, reason: str) -> None:
    warming = replace(warmed("a/0", phase=phase), since=NOON + timedelta(minutes=5))
    numbers = Numbers(Answers(lambda promql, part: 1.0), Members(), EvidenceRules(prometheus="http://p"))
    sources = GateSources(pools=cast(Any, None), routes=cast(Any, None), numbers=numbers, operations=Kept(warming))
    question = Asked(weighed(), NOON + timedelta(minutes=5), sources)
    seen = check(question, QueriesKeys.model_construct(queries=(a_query(most=5.0),)))
    assert (seen.answer, seen.reason) == (answer, reason)


@pytest.mark.parametrize(
    ("yaml", "mistake"),
    [
        ("[{name: a, query: up}]", "gates.queries.queries: needs `most`, `least` or `times_stable`."),
        ("[{query: up, most: 1}]", "gates.queries.queries: `name` is missing; add it."),
        ("[{name: a, query: up, most: 1}, {name: a, query: up, most: 2}]", "gates.queries: has the name `a` twice."),
        (
            f"[{', '.join(f'{{name: q{number}, query: up, most: 1}}' for number in range(17))}]",
            "gates.queries.queries: has 17 values; 16 is the most.",
        ),
        (
            '[{name: a, query: "x{pod=~\\"{{canary.pod}}\\"}", most: 1}]',
            "gates.queries.queries: has `{{canary.pod}}`, which I cannot fill in; I know `{{canary.pods}}`, "
            "`{{canary.pool}}`, `{{canary.picker}}`, `{{stable.pods}}`, `{{stable.pool}}`, `{{stable.picker}}`, "
            "`{{namespace}}`.",
        ),
    ],
)
def test_a_mistake_in_a_query_is_explained(tmp_path: Path, yaml: str, mistake: str) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(f'evidence: {{prometheus: "http://prometheus:9090"}}\ngates: {{queries: {{queries: {yaml}}}}}\n')
    with pytest.raises(ConfigError) as refused:
        read_policy(file, default_namespace="default", gates=policy_keys())
    assert mistake in str(refused.value)


def test_a_gate_that_judges_numbers_needs_a_prometheus(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text("gates:\n  errors: {points: 1}\n")
    with pytest.raises(ConfigError) as refused:
        read_policy(file, default_namespace="default", gates=policy_keys())
    assert str(refused.value) == (
        f"{file}:2: gates.errors: needs numbers: say where Prometheus is with `evidence.prometheus`."
    )
