"""What is asked, and what is said where there are no numbers to judge."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from threading import Barrier, BrokenBarrierError

import pytest

from bot.domain.errors import MetricsError, TooMuchError
from bot.domain.evidence import EvidenceRules
from bot.domain.rollout import Applied, Entry, Pool
from bot.engine.metrics_port import Series, Span
from bot.engine.route_port import PoolMembers
from bot.gates.numbers.names import Count
from bot.gates.numbers.numbers import Numbers
from bot.gates.numbers.reading import times_of
from bot.gates.numbers.window import FEW_SCRAPES, LackError, NothingToCompareError, span_since
from tests.builders import CANARY, NOON, STABLE, a_rollout, an_entry

STILL = ": see whether Prometheus still scrapes its pods."
LOOK = "; `rolloutbot check-config --prometheus` says what it has."
RULES = EvidenceRules(prometheus="http://prometheus")


@dataclass
class Memory:
    """A metrics server that answers with what a test puts in, for every time of a span."""

    pods: Sequence[str] = ("old", "new")
    age: float = 1.0
    error: MetricsError | None = None
    asked: list[tuple[str, Span]] = field(default_factory=list)

    def over(self, promql: str, span: Span) -> Sequence[Series]:
        self.asked.append((promql, span))
        if self.error:
            raise self.error
        times = times_of(span)
        return [
            series
            for pod in self.pods
            if f'"{pod}' in promql or f"|{pod}" in promql
            for series in self._pod(pod, times)
        ]

    def _pod(self, pod: str, times: Sequence[float]) -> Sequence[Series]:
        labels = {"pod": pod, "job": "servers"}
        asks = {"handler": "/v1/completions", "method": "POST", "status": "2xx"}
        return [
            Series({"__name__": "vllm:num_requests_running", **labels}, dict.fromkeys(times, 1.0)),
            Series({"__name__": "http_requests_total", **labels, **asks}, {time: time for time in times}),
            Series(labels, {time: time - self.age for time in times}),
        ]


class Members:
    """Each pool has one pod: `old` and `new`."""

    def members(self, pool: Pool) -> PoolMembers:
        return PoolMembers(pool=pool, pods=("old" if pool.name == STABLE else "new",), picker=f"{pool.name}-epp")


def weighed(weight: int, at: datetime = NOON) -> Entry:
    """Return a rollout whose weights came onto the route at a time."""
    rollout = a_rollout()
    applied = Applied(revision=2, decision=rollout.decision, weight=weight, at=at, weighed_at=at)
    return replace(an_entry(rollout), applied=applied)


def numbers(memory: Memory, rules: EvidenceRules = RULES) -> Numbers:
    return Numbers(memory, Members(), rules)


def lack(memory: Memory, entry: Entry, now: datetime) -> str:
    with pytest.raises(LackError) as refused:
        numbers(memory).window(entry, now)
    return str(refused.value)


def test_both_pools_are_counted_over_the_same_minutes() -> None:
    memory = Memory()
    window = numbers(memory).window(weighed(10), NOON + timedelta(minutes=5))
    start = NOON.timestamp()
    assert [span for _, span in memory.asked] == [Span(start=start, end=start + 300, step=15)]
    assert (window.canary().answered, window.stable().answered, window.seconds) == (240, 240, 240)
    assert (window.slices[0].canary.start, len(window.unsettled)) == (start + 60, 3)
    whole = window.with_unsettled()
    assert (whole.canary().answered, whole.stable().answered, whole.seconds) == (285, 285, 285)


def test_a_window_is_never_longer_than_the_policy_says() -> None:
    memory = Memory()
    window = numbers(memory).window(weighed(10), NOON + timedelta(hours=3))
    assert (window.seconds, window.step, window.unsettled) == (600, 30, ())


def test_what_was_before_the_last_prompts_of_the_bots_own_is_left_out() -> None:
    later = NOON + timedelta(minutes=3)
    window = numbers(Memory()).window(weighed(10), NOON + timedelta(minutes=5), later)
    assert (window.slices[0].canary.start, window.seconds, window.unsettled) == (later.timestamp() + 6, 114, ())


def test_with_many_pods_a_window_has_fewer_slices() -> None:
    span = span_since(NOON, NOON + timedelta(hours=1), RULES, pods=240)
    assert (span.step, (span.end - span.start) / span.step) == (100, 6)


def test_a_decision_that_leaves_the_weights_alone_does_not_begin_the_window_again() -> None:
    entry, memory = weighed(10), Memory()
    assert entry.applied is not None
    noted = replace(entry.applied, decision="d9", at=NOON + timedelta(minutes=4))
    window = numbers(memory).window(replace(entry, applied=noted), NOON + timedelta(minutes=5))
    assert window.seconds == 240


@pytest.mark.parametrize(
    ("memory", "weight", "after", "why"),
    [
        (Memory(), 0, 5, "The new pool has no traffic yet."),
        (Memory(), 10, 0.5, FEW_SCRAPES),
        (Memory(pods=("old",)), 10, 5, f"Prometheus has no numbers of the model servers of `{CANARY}`{LOOK}"),
        (Memory(pods=("new",)), 10, 5, f"Prometheus has no numbers of the model servers of `{STABLE}`{LOOK}"),
        (
            Memory(age=180),
            10,
            5,
            f"The newest numbers of `{STABLE}` are 3 min old{STILL}",
        ),
    ],
)
def test_without_numbers_it_says_why(memory: Memory, weight: int, after: float, why: str) -> None:
    assert lack(memory, weighed(weight), NOON + timedelta(minutes=after)) == why


@pytest.mark.parametrize("minutes", [0, 1, 3], ids=["from the first on", "after the cold time", "later"])
def test_what_is_no_number_is_not_taken_for_no_requests(minutes: float) -> None:
    since = (NOON + timedelta(minutes=minutes)).timestamp()

    def without_numbers(series: Series) -> Series:
        late = frozenset(at for at in series.values if at >= since)
        return Series(series.labels, {at: of for at, of in series.values.items() if at not in late}, late)

    class Nans(Memory):
        def over(self, promql: str, span: Span) -> Sequence[Series]:
            return [without_numbers(each) if "status" in each.labels else each for each in super().over(promql, span)]

    look = "look at what its model servers report"
    why = f"Values of `http_requests_total` of `{STABLE}` are no numbers (NaN): {look}."
    assert lack(Nans(), weighed(10), NOON + timedelta(minutes=5)) == why


def test_with_all_traffic_the_new_pool_is_compared_with_the_old_one_before() -> None:
    memory = Memory()
    window = numbers(memory).window(weighed(100), NOON + timedelta(minutes=5))
    (_, now), (asked, before) = memory.asked
    assert (before.start, before.end) == (NOON.timestamp() - 600, NOON.timestamp())
    assert "new" not in asked.replace(CANARY, "")
    assert (window.canary().answered, window.stable().answered) == (240, 600)
    assert now.end == NOON.timestamp() + 300


def test_what_the_old_pool_did_before_is_asked_once_a_minute() -> None:
    memory = Memory()
    shared = numbers(memory)
    for seconds in (300, 315, 330, 360):
        shared.window(weighed(100), NOON + timedelta(seconds=seconds))
    before = [span for _, span in memory.asked if span.end == NOON.timestamp()]
    assert (len(memory.asked), len(before)) == (6, 2)


@pytest.mark.parametrize("settle", [1, 5])
def test_an_answer_is_no_longer_while_the_cold_time_is_a_part_of_it(settle: int) -> None:
    memory, rules = Memory(), replace(RULES, settle=timedelta(minutes=settle))
    for seconds in (30, 60, 120, 240):
        with suppress(LackError):
            numbers(memory, rules).window(weighed(10), NOON + timedelta(minutes=settle, seconds=seconds))
    assert all(len(times_of(span)) <= 21 for _, span in memory.asked)
    assert memory.asked


def test_a_pool_without_pods_is_seen_by_what_its_picker_refuses() -> None:
    class Refusing(Memory):
        def over(self, promql: str, span: Span) -> Sequence[Series]:
            times = times_of(span)
            error = {"__name__": "inference_objective_request_error_total", "job": f"{CANARY}-epp"}
            refused = Series(error, {time: time - span.start for time in times})
            return [
                *super().over(promql, span),
                refused,
                Series({"job": f"{CANARY}-epp"}, {time: time for time in times}),
            ]

    window = numbers(Refusing(pods=("old",))).window(weighed(10), NOON + timedelta(minutes=5))
    assert window.canary().count(Count.UNPICKED) == 240


def test_copies_of_requests_are_judged_too() -> None:
    entry = weighed(0)
    plan = replace(entry.rollout.plan, mirror=10, steps=(0, 10, 100))
    mirrored = replace(entry, rollout=replace(entry.rollout, plan=plan))
    assert numbers(Memory()).window(mirrored, NOON + timedelta(minutes=5)).canary().answered == 240


def test_with_all_traffic_and_an_old_pool_that_had_no_requests_there_is_nothing_to_compare_with() -> None:
    class Idle(Memory):
        def _pod(self, pod: str, times: Sequence[float]) -> Sequence[Series]:
            return [each for each in super()._pod(pod, times) if pod == "new" or "status" not in each.labels]

    with pytest.raises(NothingToCompareError) as nothing:
        numbers(Idle()).window(weighed(100), NOON + timedelta(minutes=5))
    assert nothing.value.window.canary().answered == 240


def test_a_pod_that_leaves_makes_what_was_before_unknown() -> None:
    class Leaving(Members):
        pods: tuple[str, ...] = ("new", "gone")

        def members(self, pool: Pool) -> PoolMembers:
            return replace(super().members(pool), pods=("old",) if pool.name == STABLE else self.pods)

    members = Leaving()
    shared = Numbers(Memory(pods=("old", "new", "gone")), members, RULES)
    before = shared.window(weighed(10), NOON + timedelta(minutes=5))
    members.pods = ("new",)
    after = shared.window(weighed(10), NOON + timedelta(minutes=6))
    later = shared.window(weighed(10), NOON + timedelta(minutes=8))
    assert [len(each.whole(each.slices)) for each in (before, after)] == [len(before.slices), 0]
    assert 0 < len(later.whole(later.slices)) < len(later.slices)


def test_with_all_traffic_and_old_servers_that_are_new_there_is_nothing_to_compare_with() -> None:
    with pytest.raises(NothingToCompareError):
        numbers(Memory(pods=("new",))).window(weighed(100), NOON + timedelta(minutes=5))


@pytest.mark.parametrize("seconds", range(100, 900, 37))
def test_every_span_ends_at_one_of_its_times_which_are_multiples_of_the_step(seconds: int) -> None:
    span = span_since(NOON, NOON + timedelta(seconds=seconds), RULES)
    assert times_of(span)[-1] == span.end
    assert (span.start % span.step, span.end % span.step) == (0, 0)
    assert span.start >= NOON.timestamp() + 60


def test_gates_that_look_together_cost_one_query() -> None:
    memory = Memory()
    shared = numbers(memory)
    with ThreadPoolExecutor(5) as gates:
        windows = list(gates.map(lambda _: shared.window(weighed(10), NOON + timedelta(minutes=5)), range(5)))
    assert (len(memory.asked), len(set(map(id, windows)))) == (1, 1)


def test_a_later_look_asks_again() -> None:
    memory = Memory()
    shared = numbers(memory)
    for minutes in (5, 6):
        shared.window(weighed(10), NOON + timedelta(minutes=minutes))
    assert len(memory.asked) == 2


def test_all_gates_that_look_together_hear_of_the_same_error() -> None:
    shared = numbers(Memory(error=MetricsError("Prometheus cannot be reached.")))
    for _ in range(2):
        with pytest.raises(MetricsError, match="Prometheus cannot be reached"):
            shared.window(weighed(10), NOON + timedelta(minutes=5))


def test_pods_with_many_engines_are_asked_about_in_the_largest_slices() -> None:
    class Large(Memory):
        def over(self, promql: str, span: Span) -> Sequence[Series]:
            series = super().over(promql, span)
            if span.step < 100:
                raise TooMuchError("Prometheus answered with too much.")
            return series

    memory = Large()
    asking = numbers(memory)
    windows = [asking.window(weighed(10), NOON + timedelta(minutes=minutes)) for minutes in (20, 21)]
    assert [(window.step, len(window.slices)) for window in windows] == [(100, 6), (100, 5)]
    assert [span.step for _, span in memory.asked] == [30, 100, 100]
    asking.window(weighed(10), NOON + timedelta(minutes=51))
    assert [span.step for _, span in memory.asked[3:]] == [30, 100]


def test_of_large_pools_only_two_are_read_about_at_once() -> None:
    together = Barrier(3, timeout=0.5)

    class Large(Members):
        def members(self, pool: Pool) -> PoolMembers:
            return replace(super().members(pool), pods=tuple(f"{pool.name}-{number}" for number in range(16)))

    class Meeting(Memory):
        def over(self, promql: str, span: Span) -> Sequence[Series]:
            together.wait()
            return super().over(promql, span)

    asking = Numbers(Meeting(), Large(), RULES)
    entries = [replace(weighed(10), rollout=a_rollout(id=f"r-{number}")) for number in range(3)]
    with ThreadPoolExecutor(3) as threads:
        for each in [threads.submit(asking.window, entry, NOON + timedelta(minutes=5)) for entry in entries]:
            with pytest.raises(BrokenBarrierError):
                each.result()


def test_prompts_of_a_warm_up_that_has_ended_just_now_are_no_evidence() -> None:
    memory, now = Memory(), NOON + timedelta(minutes=5)
    asking = numbers(memory)
    assert asking.window(weighed(10), now).seconds == 240
    with pytest.raises(LackError):
        asking.window(weighed(10), now, now - timedelta(seconds=2))
