from collections.abc import Mapping, Sequence

import pytest

from bot.domain.rollout import Pool
from bot.engine.metrics_port import Series, Span
from bot.engine.route_port import PoolMembers
from bot.gates.numbers.names import Count, Level, Time
from bot.gates.numbers.programs import programs_of
from bot.gates.numbers.reading import read, scraped_every, tallied, times_of
from bot.gates.numbers.tally import EVER, Streams, Tally
from tests.builders import CANARY

SPAN = Span(start=0, end=30, step=15)
POOL = PoolMembers(pool=Pool("default", CANARY), pods=("pod-a", "pod-b"), picker="epp")


def shows(name: str, *values: float | None, pod: str = "pod-a", **labels: str) -> Series:
    """Return a series with a value at 0, 15 and 30 s."""
    at = {15.0 * number: value for number, value in enumerate(values) if value is not None}
    return Series({"__name__": name, "pod": pod, "job": "servers", **labels}, at)


def scraped(*ages: float | None, pod: str = "pod-a", job: str = "servers") -> Series:
    at = {15.0 * number: 15.0 * number - age for number, age in enumerate(ages) if age is not None}
    return Series({"pod": pod, "job": job}, at)


def answers(status: str, *values: float | None, **labels: str) -> Series:
    known = {"handler": "/v1/completions", "method": "POST", "status": status, **labels}
    return shows("http_requests_total", *values, **known)


RUNNING = shows("vllm:num_requests_running", 1, 2, 3)


def tallies(*series: Series) -> Sequence[Tally]:
    return read([RUNNING, scraped(1, 1, 1), *series], POOL, SPAN).tallies


def counts(*series: Series) -> Sequence[Mapping[Count, float]]:
    return [tally.counts for tally in tallies(*series)]


def test_a_span_has_both_its_ends() -> None:
    assert times_of(SPAN) == [0, 15, 30]


def test_answers_are_counted_by_status() -> None:
    assert counts(answers("2xx", 10, 14, 20), answers("4xx", 1, 1, 2), answers("500", 0, 3, 3)) == [
        {Count.GOOD: 4, Count.TURNED_AWAY: 0, Count.BROKEN: 3},
        {Count.GOOD: 6, Count.TURNED_AWAY: 1, Count.BROKEN: 0},
    ]


def test_a_series_that_appears_begins_at_zero() -> None:
    assert counts(answers("5xx", None, 7, 9)) == [{Count.BROKEN: 7}, {Count.BROKEN: 2}]


def test_a_counter_that_begins_again_counts_from_zero() -> None:
    assert counts(answers("2xx", 100, 4, 9)) == [{Count.GOOD: 4}, {Count.GOOD: 5}]


def test_a_pod_counts_only_where_it_was_scraped_at_both_ends() -> None:
    late = [
        shows("vllm:num_requests_running", None, 5, 5, pod="pod-b"),
        answers("2xx", None, 1000, 1003, pod="pod-b"),
        scraped(None, 1, 1, pod="pod-b"),
    ]
    found = tallies(answers("2xx", 0, 1, 2), *late)
    assert [(tally.pods, tally.counts) for tally in found] == [(1, {Count.GOOD: 1}), (2, {Count.GOOD: 4})]


def test_pods_whose_names_only_begin_alike_are_passed_over() -> None:
    other = [answers("5xx", 0, 50, 100, pod="pod-a-new"), scraped(1, 1, 1, pod="pod-a-new")]
    assert counts(answers("2xx", 0, 1, 2), *other) == [{Count.GOOD: 1}, {Count.GOOD: 1}]


@pytest.mark.parametrize(
    "labels",
    [{"handler": "/health"}, {"handler": "/v1/models", "method": "GET"}, {"handler": "/v1/load_lora_adapter"}],
)
def test_what_is_no_request_for_the_model_is_not_counted(labels: Mapping[str, str]) -> None:
    assert counts(answers("2xx", 0, 5, 9, **labels)) == [{}, {}]


@pytest.mark.parametrize("name", ["sglang:http_responses_total", "sglang_http_responses_total"])
def test_sglang_counts_its_answers_by_endpoint_and_status_code(name: str) -> None:
    def responses(code: str, path: str, *values: float) -> list[Series]:
        """Return what Prometheus has alone, and with its operator, which has another label of that name."""
        labels = {"status_code": code, "method": "POST"}
        renamed = {"endpoint": "http", "exported_endpoint": path}
        return [shows(name, *values, **labels, endpoint=path), shows(name, *values, **labels, **renamed)]

    good, bad = responses("200", "/v1/completions", 0, 4, 6), responses("503", "/v1/completions", 0, 0, 2)
    for shown in zip(good, bad, responses("500", "/health_generate", 0, 5, 9), strict=True):
        assert counts(*shown) == [{Count.GOOD: 4, Count.BROKEN: 0}, {Count.GOOD: 2, Count.BROKEN: 2}]


def test_of_two_jobs_that_scrape_a_pod_that_with_more_scrapes_counts() -> None:
    rare = [answers("2xx", None, 5000, 9000, job="aa"), scraped(None, 1, 1, job="aa")]
    assert counts(answers("2xx", 0, 5, 9), *rare) == [{Count.GOOD: 5}, {Count.GOOD: 4}]


def test_a_pod_whose_targets_a_sharded_prometheus_scrapes_counts_whole() -> None:
    def on(port: str, *series: Series) -> list[Series]:
        return [Series({**each.labels, "instance": port, "prometheus": port}, each.values) for each in series]

    ranks = [on(port, RUNNING, answers("2xx", 0, 5, 9), scraped(1, 1, 1)) for port in ("a:1", "a:2", "a:3")]
    found = read([each for rank in ranks for each in rank], POOL, SPAN).tallies
    assert [each.counts for each in found] == [{Count.GOOD: 15}, {Count.GOOD: 12}]


def test_a_pod_that_two_jobs_scrape_counts_once() -> None:
    twice = [shows("vllm:num_requests_running", 1, 2, 3, job="zz"), answers("2xx", 0, 5, 9, job="zz")]
    assert counts(answers("2xx", 0, 5, 9), *twice, scraped(1, 1, 1, job="zz")) == [{Count.GOOD: 5}, {Count.GOOD: 4}]


def test_a_pod_that_two_replicas_of_prometheus_scrape_counts_once() -> None:
    def by(replica: str, *series: Series) -> list[Series]:
        return [Series({**each.labels, "prometheus_replica": replica}, each.values) for each in series]

    whole = by("one", RUNNING, answers("2xx", 0, 5, 9), scraped(1, 1, 1))
    back = by("two", RUNNING, answers("2xx", None, 5004, 5008), scraped(None, 1, 1))
    assert [each.counts for each in read([*back, *whole], POOL, SPAN).tallies] == [{Count.GOOD: 5}, {Count.GOOD: 4}]


def test_of_several_engines_queues_are_added_up_and_caches_are_not() -> None:
    series = [
        shows(name, 0, value, value, engine=engine)
        for engine, waiting, cache in (("0", 3.0, 0.2), ("1", 5.0, 0.4))
        for name, value in (("vllm:num_requests_waiting", waiting), ("vllm:kv_cache_usage_perc", cache))
    ]
    _, after = tallies(*series)
    assert after.after == {Level.RUNNING: 3, Level.WAITING: 8, Level.CACHE: pytest.approx(0.3)}
    assert (after.pods, after.engines) == (1, 2)


def test_the_parts_of_a_queue_by_priority_are_no_engines() -> None:
    series = [shows("sglang:num_queue_reqs", 0, 6, 6), shows("sglang:num_queue_reqs", 0, 6, 6, priority="1")]
    running = shows("sglang:num_running_reqs", 1, 1, 1)
    _, after = read([running, scraped(1, 1, 1), *series], POOL, SPAN).tallies
    assert (after.after[Level.WAITING], after.engines) == (6, 1)


def test_a_stretch_is_whole_where_all_pods_were_scraped_and_none_has_left_since() -> None:
    both = [RUNNING, scraped(1, 1, 1), scraped(None, 1, 1, pod="pod-b")]
    both.append(shows("vllm:num_requests_running", None, 1, 1, pod="pod-b"))
    assert [tally.is_whole for tally in read(both, POOL, SPAN).tallies] == [False, True]
    assert [tally.is_whole for tally in tallied(programs_of(both, POOL), SPAN, 20.0).tallies] == [False, False]


def test_how_often_programs_are_scraped_is_seen_by_how_old_scrapes_are() -> None:
    times = [float(number) for number in range(0, 300, 7)]
    pod = Series({"pod": "pod-a", "job": "servers"}, {at: at // 15 * 15 for at in times})
    picker = Series({"job": "epp"}, {at: (at - 4) // 60 * 60 + 4 for at in times})
    assert scraped_every(programs_of([RUNNING, pod], POOL)) == pytest.approx(15, abs=2)
    assert scraped_every(programs_of([RUNNING, pod, picker], POOL)) == pytest.approx(60, abs=8)
    assert scraped_every(programs_of([], POOL)) == 0


def test_of_two_targets_of_a_pod_one_that_missed_a_scrape_is_not_known_then() -> None:
    def on(port: str, *series: Series) -> list[Series]:
        return [Series({**each.labels, "instance": port}, each.values) for each in series]

    whole = on("a:1", RUNNING, answers("5xx", 4, 5, 5), scraped(1, 1, 1))
    late = on("a:2", RUNNING, answers("5xx", None, 5000, 5001), scraped(None, 1, 1))
    assert [each.counts for each in read([*whole, *late], POOL, SPAN).tallies] == [{Count.BROKEN: 1}, {Count.BROKEN: 1}]


@pytest.mark.parametrize(
    ("running", "waiting", "cache"),
    [
        ("vllm:num_requests_running", "vllm:num_requests_waiting", "vllm:kv_cache_usage_perc"),
        ("vllm:num_requests_running", "vllm:num_requests_waiting", "vllm:gpu_cache_usage_perc"),
        ("sglang:num_running_reqs", "sglang:num_queue_reqs", "sglang:token_usage"),
        ("sglang_num_running_reqs", "sglang_num_queue_reqs", "sglang_token_usage"),
        ("vllm_num_requests_running", "vllm_num_requests_waiting", "vllm_kv_cache_usage_perc"),
    ],
)
def test_levels_are_known_under_every_name(running: str, waiting: str, cache: str) -> None:
    series = [shows(running, 1, 2, 3), shows(waiting, 0, 4, 5), shows(cache, 0.1, 0.2, 0.3), scraped(1, 1, 1)]
    first, second = read(series, POOL, SPAN).tallies
    assert first.before == {Level.RUNNING: 1, Level.WAITING: 0, Level.CACHE: 0.1}
    assert first.servers == {}
    assert second.after == {Level.RUNNING: 3, Level.WAITING: 5, Level.CACHE: 0.3}


def bucket(name: str, bound: str, *values: float, pod: str = "pod-a") -> Series:
    return shows(f"{name}_bucket", *values, pod=pod, le=bound)


@pytest.mark.parametrize(
    ("name", "time"),
    [
        ("vllm:time_to_first_token_seconds", Time.FIRST_TOKEN),
        ("sglang:time_to_first_token_seconds", Time.FIRST_TOKEN),
        ("vllm:time_per_output_token_seconds", Time.PER_TOKEN),
        ("vllm:inter_token_latency_seconds", Time.PER_TOKEN),
        ("vllm:e2e_request_latency_seconds", Time.WHOLE),
    ],
)
def test_histograms_are_known_under_every_name(name: str, time: Time) -> None:
    first, second = tallies(bucket(name, "0.5", 1, 3, 4), bucket(name, "+Inf", 2, 5, 8))
    assert (first.times, second.times) == ({time: {0.5: 2, EVER: 3}}, {time: {0.5: 1, EVER: 3}})


def test_where_a_server_shows_the_same_time_under_two_names_one_counts() -> None:
    old, new = "vllm:time_per_output_token_seconds", "vllm:inter_token_latency_seconds"
    (first, _) = tallies(bucket(old, "+Inf", 0, 7, 7), bucket(new, "+Inf", 0, 9, 9))
    assert first.times == {Time.PER_TOKEN: {EVER: 9}}


def test_of_a_server_that_shows_what_runs_the_streams_are_known() -> None:
    first, whole = "vllm:time_to_first_token_seconds", "vllm:e2e_request_latency_seconds"
    (stretch, _) = tallies(bucket(first, "+Inf", 2, 9, 9), bucket(whole, "+Inf", 1, 4, 4))
    assert stretch.servers == {"pod-a": Streams(unended=4, before=1, after=2, began=7)}
    good = [answers("2xx", 0, 3, 3), answers("2xx", 0, 5, 5, handler="/v1/embeddings")]
    queue = shows("vllm:num_requests_waiting", 6, 5, 4)
    (stretch, _) = tallies(bucket(first, "+Inf", 2, 9, 9), bucket(whole, "+Inf", 1, 4, 4), *good, queue)
    assert stretch.servers == {
        "pod-a": Streams(unended=4, before=1, after=2, answers=3, began=7, waiting=(6, 5)),
    }


def test_of_a_server_whose_last_buckets_were_dropped_the_streams_are_not_known() -> None:
    first, whole = "vllm:time_to_first_token_seconds", "vllm:e2e_request_latency_seconds"
    (stretch, _) = tallies(bucket(first, "0.5", 2, 9, 9), bucket(whole, "0.5", 1, 4, 4))
    assert stretch.servers == {}


def test_other_engines_and_other_versions_show_other_names() -> None:
    sglang = [shows("sglang:num_running_reqs", 1, 1, 1), scraped(1, 1, 1)]
    old = [RUNNING, shows("vllm:gpu_cache_usage_perc", 0, 0, 0), scraped(1, 1, 1)]
    new = [RUNNING, shows("vllm:kv_cache_usage_perc", 0, 0, 0), answers("5xx", 0, 0, 1), scraped(1, 1, 1)]
    assert [programs_of(each, POOL).shown_names for each in (sglang, old, new)] == [
        {"sglang:num_running_reqs"},
        {"vllm:num_requests_running", "vllm:gpu_cache_usage_perc"},
        {"vllm:num_requests_running", "vllm:kv_cache_usage_perc"},
    ]


def picks(name: str, *values: float | None, **labels: str) -> Series:
    at = {15.0 * number: value for number, value in enumerate(values) if value is not None}
    return Series({"__name__": name, **({"job": "epp"} | labels)}, at)


@pytest.mark.parametrize("label", ["job", "service"])
@pytest.mark.parametrize("name", ["inference_objective_request", "inference_model_request", "llm_d_epp_request"])
def test_pickers_are_known_by_their_service_and_under_every_name(name: str, label: str) -> None:
    series = [
        picks(f"{name}_total", 5, 9, 9, **{"job": "other", label: "epp"}),
        picks(f"{name}_error_total", None, 2, 2, error_code="ServiceUnavailable", **{"job": "other", label: "epp"}),
        picks(f"{name}_error_total", None, 8, 8, error_code="ModelServerError", **{"job": "other", label: "epp"}),
        Series({"job": "other", label: "epp"}, {0.0: 0.0, 15.0: 15.0, 30.0: 30.0}),
    ]
    assert counts(*series) == [{Count.PICKED: 4, Count.UNPICKED: 2}, {Count.PICKED: 0, Count.UNPICKED: 0}]


def test_a_picker_that_shows_its_counts_under_two_names_is_counted_once() -> None:
    series = [
        picks("inference_objective_request_total", 0, 4, 4),
        picks("llm_d_epp_request_total", 0, 4, 4),
        Series({"job": "epp"}, {0.0: 0.0, 15.0: 15.0, 30.0: 30.0}),
    ]
    assert counts(*series)[0] == {Count.PICKED: 4, Count.UNPICKED: 0}


def test_the_newest_scrape_is_known() -> None:
    assert read([RUNNING, scraped(1, 1, 4)], POOL, SPAN).newest == 26
    assert read([], POOL, SPAN).newest == 0
