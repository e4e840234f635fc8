"""The charts of a rollout: what they ask for, and what they draw."""

from datetime import datetime, timedelta

import pytest

from bot.domain.chart import Chart, Line
from bot.domain.rollout import Pool
from bot.engine.metrics_port import Series, Span
from bot.engine.route_port import PoolMembers
from bot.gates.numbers.history import charts_of, history_span
from bot.gates.numbers.query import promql, series_over
from tests.bot.gates.scraped import Cluster
from tests.builders import CANARY, NOON, STABLE

OLD, NEW = (PoolMembers(pool=Pool("default", name), pods=(pod,)) for name, pod in ((STABLE, "old"), (CANARY, "new")))
START = NOON.timestamp()
SPAN = Span(start=START, end=START + 90, step=30)
TIMES = [START + 30 * number for number in range(4)]


def shows(pod: str, name: str, values: list[float], **labels: str) -> Series:
    return Series({"__name__": name, "pod": pod, "job": "servers", **labels}, dict(zip(TIMES, values, strict=True)))


def served(pod: str, good: list[float], bad: list[float], first: list[float]) -> list[Series]:
    """Return what a pod shows: answers so far by status, and how many of the first tokens came within 100 ms."""
    asks = {"handler": "/v1/completions", "method": "POST"}
    within = [
        shows(pod, "vllm:time_to_first_token_seconds_bucket", values, le=bound)
        for bound, values in (("0.1", first), ("0.2", good), ("+Inf", good))
    ]
    return [
        shows(pod, "vllm:num_requests_running", [1.0] * 4),
        Series({"pod": pod, "job": "servers"}, {time: time - 1 for time in TIMES}),
        shows(pod, "http_requests_total", good, status="2xx", **asks),
        shows(pod, "http_requests_total", bad, status="5xx", **asks),
        *within,
    ]


def test_both_pools_are_drawn_over_the_same_times() -> None:
    old = served("old", [0, 90, 180, 270], [0, 0, 0, 0], [0, 90, 180, 270])
    new = served("new", [0, 0, 8, 16], [0, 0, 2, 4], [0, 0, 0, 0])
    times = ("12:00:30", "12:01:00", "12:01:30")
    shares, first = charts_of([*old, *new], OLD, NEW, SPAN)
    assert shares == Chart(
        title="Requests at the new pool, and errors",
        unit="%",
        times=times,
        lines=(
            Line("new, requests", (0.0, 10.0, 10.0)),
            Line("new, errors", (0.0, 20.0, 20.0)),
            Line("old, errors", (0.0, 0.0, 0.0)),
        ),
    )
    assert first == Chart(
        title="Time to the first token",
        unit="ms",
        times=times,
        lines=(
            Line("new, p50", (150.0, 150.0, 150.0)),
            Line("new, p95", (195.0, 195.0, 195.0)),
            Line("old, p50", (50.0, 50.0, 50.0)),
            Line("old, p95", (95.0, 95.0, 95.0)),
        ),
    )


def test_a_pool_whose_servers_show_no_first_token_has_no_line_for_it() -> None:
    old = served("old", [0, 90, 180, 270], [0, 0, 0, 0], [0, 90, 180, 270])
    new = served("new", [0, 0, 0, 0], [0, 0, 2, 4], [0, 0, 0, 0])
    _, first = charts_of([*old, *new], OLD, NEW, SPAN)
    assert [line.name for line in first.lines] == ["old, p50", "old, p95"]


def test_times_in_which_a_pool_was_not_seen_are_left_out() -> None:
    old = served("old", [0, 90, 180, 270], [0, 0, 0, 0], [0, 90, 180, 270])
    gone = [Series(each.labels, {time: value for time, value in each.values.items() if time > START}) for each in old]
    new = served("new", [0, 4, 8, 16], [0, 0, 2, 4], [0, 0, 0, 0])
    assert charts_of([*gone, *new], OLD, NEW, SPAN) == ()


def test_a_pool_that_had_no_request_is_not_drawn() -> None:
    quiet = served("new", [0] * 4, [0] * 4, [0] * 4)
    assert charts_of([*served("old", [0, 9, 9, 9], [0] * 4, [0] * 4), *quiet], OLD, NEW, SPAN) == ()


@pytest.mark.parametrize(
    ("age", "span"),
    [
        (timedelta(seconds=44), None),
        (timedelta(seconds=45), Span(start=START, end=START + 45, step=15)),
        (timedelta(minutes=40), Span(start=START, end=START + 2400, step=120)),
        (timedelta(days=3), Span(start=START + 172800, end=START + 259200, step=4320)),
    ],
)
def test_there_are_at_most_twenty_points_and_never_more_than_prometheus_has(age: timedelta, span: Span | None) -> None:
    now: datetime = NOON + age
    assert history_span(NOON, now) == span


@pytest.mark.parametrize("every", [15, 30, 60])
def test_where_prometheus_scrapes_rarely_a_line_does_not_jump_between_scrapes(every: float) -> None:
    cluster = Cluster(old=3, new=2, rate=20, every=every, seed=1)
    span = history_span(NOON, NOON + timedelta(minutes=10))
    assert span is not None
    stable, canary = (cluster.members(pool) for pool in (Pool("default", STABLE), Pool("default", CANARY)))
    series = series_over(cluster, promql(stable, canary), span)
    share = charts_of(series, stable, canary, span)[0].lines[0].values
    assert (len(share) >= 3, [each for each in share if not 6 <= each <= 14]) == (True, [])
